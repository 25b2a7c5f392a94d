"""The seam between one camera or stream and what all live sources share: open, read, abort, close."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Image


class Lost(Exception):  # noqa: N818 - it is caught where the source's name is known
    """A connection that failed or ended; carries the rest of a sentence that begins with the source's name."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A picture that has arrived. `decode` gives it as uint8 BGR HxWx3 (grey and BGRA become that), or raises.

    captured_ns, captured_at: when it was there. spent_ns: what reading it has cost already. skipped: pictures before it
    that arrived and could not be kept.
    """

    decode: Callable[[], Image]
    captured_ns: int
    captured_at: datetime
    spent_ns: int = 0
    skipped: int = 0


def arrival(decode: Callable[[], Image], *, spent_ns: int = 0, skipped: int = 0, age_ns: int = 0) -> Arrival:
    """An arrival at this moment, or `age_ns` ago."""
    captured_at = datetime.now(UTC) - timedelta(microseconds=age_ns / 1000)
    return Arrival(decode, time.monotonic_ns() - age_ns, captured_at, spent_ns, skipped)


class Connection(Protocol):
    """One attempt to get pictures. `open`, `read` and `close` are called by one thread and may block."""

    def open(self) -> None:
        """Connect. Raises Lost."""
        ...

    def read(self) -> Arrival | None:
        """Wait for the next picture; None when there is none by right (the end of a pipe). Raises Lost."""
        ...

    def abort(self) -> None:
        """From any thread, at any time: make `open` and `read` end with Lost, where that is possible."""
        ...

    def close(self) -> None:
        """Release everything. May be called twice, and without `open`."""
        ...
