"""How long artifacts take on this machine, against each other: interleaved rounds, of which the quiet half counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import OrillaError

SECONDS = 5.0
"""Of rounds, for all artifacts together; loading and warming up come on top."""
SHORTEST_SAMPLE = 0.002
"""A call that is shorter is repeated until a sample is this long: the clock and the loop cost their share."""
LEAST_ROUNDS, MOST_ROUNDS = 5, 100
MARGIN = 0.2
"""Of two medians, before one artifact counts as faster: less differs between two runs of one file."""

Calls = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one call of the engine with a batch of one: the median and the quartiles over the quiet `rounds`.

    best: of all rounds; a busy machine changes it least.
    """

    median: float
    low: float
    high: float
    best: float
    rounds: int

    def clearly_below(self, other: Latency, margin: float = MARGIN) -> bool:
        """Whether this is faster by more than one measurement differs from the next.

        The medians and the best times are a margin apart, and the quartiles do not meet.
        """
        share = 1 - margin
        return self.median <= share * other.median and self.best <= share * other.best and self.high < other.low


@dataclass(frozen=True, slots=True)
class Runnable:
    """A model file and one real input of it, in the order of its session's inputs."""

    name: str
    format: str
    data: bytes
    inputs: tuple[NDArray[Any], ...]


def measure(artifacts: Sequence[Runnable], seconds: float = SECONDS) -> dict[str, Latency]:
    """Time the artifacts that an engine here runs, by name; those that none runs are left out.

    Args:
        artifacts: all are loaded at once, each in the engine and with the threads that `load` would take.
        seconds: about how long the rounds may last altogether; at least five are made, however long they take.
    """
    with ExitStack() as stack:
        calls: dict[str, Callable[[], Any]] = {}
        for artifact in artifacts:
            try:
                session = engine_for(artifact.format).load(artifact.data, EngineOptions())
            except OrillaError:
                continue
            stack.callback(session.close)
            calls[artifact.name] = partial(session.run, *artifact.inputs)
        return {name: _latency(times) for name, times in interleaved(calls, seconds).items()}


def interleaved(
    calls: Calls, seconds: float = SECONDS, least: int = LEAST_ROUNDS, most: int = MOST_ROUNDS
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call, for each call an array over the quiet rounds.

    All are called in every round, so that whatever else the machine does meets them alike. Half of the rounds, those in
    which it did the least else, count.
    """
    if not calls:
        return {}
    repeats = {name: _repeats(call) for name, call in calls.items()}
    rounds: list[list[float]] = []
    start = time.perf_counter()
    while len(rounds) < least or (len(rounds) < most and time.perf_counter() - start < seconds):
        rounds.append([_seconds(call, repeats[name]) for name, call in calls.items()])
    times = np.asarray(rounds)
    disturbance = (times / times.min(axis=0)).mean(axis=1)
    quiet = np.sort(np.argsort(disturbance, kind="stable")[: max(least, len(times) // 2)])
    return {name: times[quiet, place] for place, name in enumerate(calls)}


def _repeats(call: Callable[[], Any]) -> int:
    """How often a call is made for one sample; the first call, which sets up buffers, does not count."""
    call()
    return max(1, round(SHORTEST_SAMPLE / _seconds(call, 2)))


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _latency(times: NDArray[np.float64]) -> Latency:
    low, median, high = (float(value) * 1000 for value in np.percentile(times, (25, 50, 75)))
    return Latency(median, low, high, float(times.min()) * 1000, len(times))
