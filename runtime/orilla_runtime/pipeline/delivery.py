"""Where records go: to every sink, in the thread that runs the pipeline, an error at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from orilla_runtime.errors import SinkError
from orilla_runtime.records import dataclass
from orilla_runtime.sinks.base import Counts, Record, Sink, StopRun
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SinkReport:
    """How one sink does: records that it `written`, that were `dropped` because it was slow, or `lost` to its errors.

    `error` is its last one while it lasts, else empty.
    """

    name: str
    written: int = 0
    dropped: int = 0
    lost: int = 0
    error: str = ""


class Delivery(Protocol):
    """Takes the records of a run in order."""

    @property
    def reports(self) -> tuple[SinkReport, ...]: ...
    def write(self, record: Record) -> None:
        """Give the record to every sink. Raises SinkError."""
        ...

    def finish(self, counts: Counts) -> list[SinkError]:
        """Finish and close every sink; what went wrong."""
        ...


class Inline:
    """The delivery of a run of files: each sink has the record before the next one is asked for.

    A sink that is slow slows the run, so that nothing is lost; one that fails ends it, since a result that cannot be
    written is what a run of files is for.
    """

    def __init__(self, sinks: Sequence[Sink], stop: Callable[[], None]) -> None:
        self._sinks = tuple(sinks)
        self._stop = stop
        self._written = 0
        self._errors: dict[int, str] = {}

    @property
    def reports(self) -> tuple[SinkReport, ...]:
        """One a sink."""
        return tuple(
            SinkReport(type(sink).__name__, self._written, error=self._errors.get(place, ""))
            for place, sink in enumerate(self._sinks)
        )

    def write(self, record: Record) -> None:
        """Give the record to every sink, also behind one that fails. Raises the first one's SinkError."""
        errors: list[SinkError] = []
        for place, sink in enumerate(self._sinks):
            try:
                sink.write(record)
            except StopRun:
                self._stop()
            except Exception as error:
                errors.append(as_sink_error(sink, error))
                self._errors[place] = errors[-1].message
        self._written += 1
        raise_first(errors)

    def finish(self, counts: Counts) -> list[SinkError]:
        """Finish all, then close all, whatever fails."""
        errors = [error for sink in self._sinks if (error := finish(sink, counts)) is not None]
        return errors + [error for sink in self._sinks if (error := close(sink)) is not None]


def finish(sink: Sink, counts: Counts) -> SinkError | None:
    """Tell a sink that the run is over; what went wrong."""
    try:
        sink.finish(counts)
    except StopRun:
        return None
    except Exception as error:
        return as_sink_error(sink, error)
    return None


def close(sink: Sink) -> SinkError | None:
    """Close a sink; what went wrong."""
    try:
        sink.close()
    except Exception as error:
        return as_sink_error(sink, error)
    return None


def as_sink_error(sink: Sink, error: Exception) -> SinkError:
    """Whatever a sink raised as the error that a caller knows."""
    if isinstance(error, SinkError):
        return error
    wrapped = SinkError(f"{type(sink).__name__} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def raise_first(errors: list[SinkError]) -> None:
    """The first error is the one to raise; the others are logged."""
    for other in errors[1:]:
        _log.warning("%s", printable(other.message))
    if errors:
        raise errors[0]
