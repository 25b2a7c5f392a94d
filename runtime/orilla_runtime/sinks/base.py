"""The seam between results and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from orilla_runtime.sources.base import Failure, Frame


@dataclass(frozen=True, slots=True)
class Timing:
    """What one frame cost, in milliseconds."""

    decode: float
    preprocess: float
    infer: float
    postprocess: float


@dataclass(frozen=True, slots=True)
class Record:
    """One frame with its result, or one failure; unpacks as `frame, result`.

    `frame` is None for a failure and `failure` is None for a frame. `bundle` is the bundle's id (None for a bare
    model); `artifact` the artifact's path in it, or the bare model's file name; `engine` what ran it (`litert/cpu`).
    """

    frame: Frame | None
    result: Any
    timing: Timing | None
    failure: Failure | None
    bundle: str | None
    artifact: str
    engine: str

    def __iter__(self) -> Iterator[Any]:
        yield self.frame
        yield self.result


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of every frame: `captured = processed + dropped`, and `failed` beside them."""

    processed: int = 0
    failed: int = 0
    dropped: int = 0


class StopRun(Exception):  # noqa: N818 - no error: a wish
    """Raised by a sink's `write` to end the run in good order: its window was closed, the reader of its pipe went away.

    The record counts as written, and every other sink gets it too.
    """


class Sink(Protocol):
    """Takes every record in order; entry point group `orilla.sinks`."""

    def write(self, record: Record) -> None:
        """Take one record. Raises SinkError where it cannot be written, StopRun to end the run."""
        ...

    def finish(self, counts: Counts) -> None:
        """The run ended, by itself, by `stop` or by an error; called once, before `close`. Raises SinkError."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice, also without `finish`."""
        ...
