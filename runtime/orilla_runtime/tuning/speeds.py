"""Measured speeds of the ways to run one model here, and which of them is best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

TIE = 0.02
"""Ways within 2 % of the fastest are alike; of these the one with the fewest threads leaves most to other work."""


class Runnable(NamedTuple):
    """One file that may be run: its name, as it is shown in messages too; its bytes and their sha256 when needed."""

    name: str
    shown: str
    format: str
    size: int
    read: Callable[[], bytes]
    sha256: Callable[[], str]


class Speed(NamedTuple):
    """Milliseconds of one call, as the median: this file on this engine and device with this number of threads."""

    sha256: str
    engine: str
    device: str
    threads: int
    milliseconds: float

    def __str__(self) -> str:
        threads = f" {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.engine}/{self.device}{threads} {self.milliseconds:.2f} ms"


def ranked(speeds: Iterable[Speed]) -> list[Speed]:
    """Best first. Of those as fast as the fastest, that with the fewest threads; equal ones keep their order."""
    rest = sorted(speeds, key=lambda speed: speed.milliseconds)
    if not rest:
        return []
    alike = [speed for speed in rest if speed.milliseconds <= rest[0].milliseconds * (1 + TIE)]
    best = min(alike, key=lambda speed: speed.threads)
    return [best, *(speed for speed in rest if speed is not best)]


def described(speeds: Sequence[Speed]) -> str:
    """For example `litert/cpu 2 threads 4.10 ms; litert/cpu 1 thread 6.90 ms`."""
    return "; ".join(map(str, speeds))
