"""The seam between results and where they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.timing import Timing as Timing  # where it was before, for those who import it from here


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
    """What became of everything that the sources gave: frames with a verdict, failures, and frames that were left out.

    `dropped`: frames of a live source for which there was no time. `skipped`: frames that nobody wanted (`every`).
    """

    processed: int = 0
    failed: int = 0
    dropped: int = 0
    skipped: int = 0

    @property
    def captured(self) -> int:
        """All of them."""
        return self.processed + self.failed + self.dropped + self.skipped


class StopRun(Exception):  # noqa: N818 - no error: a wish
    """Raised by a sink's `write` to end the run in good order: its window was closed, the reader of its pipe went away.

    The record counts as written, and every other sink gets it too.
    """


class Sink(Protocol):
    """Takes every record in order; entry point group `orilla.sinks`.

    In a run of files every call comes from the thread that runs the pipeline. In a live run each sink has a thread of
    its own, behind a queue, so that one that stalls holds up nobody. What a sink may say of itself, as attributes of
    its class: `main_thread = True`: call it in the thread that runs the pipeline in any case (a window).
    `durable = True`: it must not lose a record and needs no pictures; it gets records whose `frame.image` is empty
    (0x0x3) from a long queue, and what could not be written is tried again. Others get the newest records from a
    short one.
    """

    def write(self, record: Record) -> None:
        """Take one record. Raises SinkError where it cannot be written, StopRun to end the run."""
        ...

    def finish(self, counts: Counts) -> None:
        """The run ended, by itself, by `stop` or by an error; called once, before `close`. Raises SinkError."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice, also without `finish`."""
        ...
