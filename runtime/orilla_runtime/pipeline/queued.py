"""The delivery of a live run: a queue and a thread for each sink, so that one that stalls or dies holds up nobody."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from orilla_runtime.errors import SinkError
from orilla_runtime.pipeline.delivery import Inline, SinkReport, as_sink_error, close, finish
from orilla_runtime.sinks.base import Counts, Record, Sink, StopRun
from orilla_runtime.sources.base import Image
from orilla_runtime.tasks.classification import Classification
from orilla_runtime.tasks.raw import RawOutputs
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

QUEUE = 8
"""Records with their pictures that wait for a sink; a new one replaces the oldest."""

SPOOL = 20_000
"""Records without pictures, 1 to 2 KB each, that wait for a durable sink: 11 minutes of a camera at 30 a second."""

SPOOL_BYTES = 64 * 1024 * 1024
"""What their results may take: raw outputs are up to megabytes each, and so are a thousand classes of a few frames."""

_CLASS_BYTES = 150
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_QUIET_SECONDS = 60.0
_TRIES = 3
_STALL_SECONDS = 0.4
_END_SECONDS = 10.0

_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)
_NO_IMAGE.setflags(write=False)


class Queued:
    """Implements `Delivery`. Sinks that belong to the main thread are called in the one that runs the pipeline."""

    def __init__(self, sinks: Sequence[Sink], stop: Callable[[], None]) -> None:
        self._apart = [SinkThread(sink, stop) for sink in sinks if not getattr(sink, "main_thread", False)]
        self._inline = [_Guarded(sink, stop) for sink in sinks if getattr(sink, "main_thread", False)]
        self._all: tuple[SinkThread | _Guarded, ...] = (*self._apart, *self._inline)

    @property
    def reports(self) -> tuple[SinkReport, ...]:
        """One a sink."""
        return tuple(one.report for one in self._all)

    def write(self, record: Record) -> None:
        """Give the record to every sink's queue; never waits and never raises."""
        for one in self._all:
            one.put(record)

    def finish(self, counts: Counts) -> list[SinkError]:
        """Let every sink work off its queue, as long as it gets on; then report those that lost something."""
        for thread in self._apart:
            thread.end(counts)
        for guarded in self._inline:
            guarded.end(counts)
        for thread in self._apart:
            thread.join()
        return [error for one in self._all if (error := one.verdict()) is not None]


class SinkThread:
    """One sink with its queue.

    A durable sink's record is tried until it is written, with pauses that double up to half a minute; where it fails
    and the next one does not, the record itself is at fault and is given up. Other sinks go on with the newest.
    An outage is logged when it begins and when it ends, once a minute at most.
    """

    def __init__(self, sink: Sink, stop: Callable[[], None]) -> None:
        self._sink = sink
        self._stop = stop
        self._durable = bool(getattr(sink, "durable", False))
        self._changed = threading.Condition()
        self._queue: deque[Record] = deque()
        self._bytes = 0
        self._counts: Counts | None = None
        self._abandoned = False
        self._written = self._dropped = self._lost = 0
        self._error: SinkError | None = None
        self._end_error: SinkError | None = None
        self._logged = -_QUIET_SECONDS
        self._moved = time.monotonic()
        self._is_finishing = self._is_told = False
        self._thread: threading.Thread | None = None

    @property
    def report(self) -> SinkReport:
        """How it does."""
        with self._changed:
            error = self._error.message if self._error else ""
            return SinkReport(type(self._sink).__name__, self._written, self._dropped, self._lost, error)

    def put(self, record: Record) -> None:
        """Append the record; where the queue is full, a durable sink loses it and another the oldest one."""
        if self._durable and record.frame is not None:
            record = replace(record, frame=replace(record.frame, image=_NO_IMAGE))
        with self._changed:
            if self._is_full(record):
                self._dropped += 1
                if self._durable:
                    return
                self._popped()
            self._queue.append(record)
            self._bytes += _weight(record)
            self._begin()
            self._changed.notify_all()

    def end(self, counts: Counts) -> None:
        """Work off the queue, finish and close; `join` waits for it."""
        with self._changed:
            self._counts = counts
            self._moved = time.monotonic()
            self._begin()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the end, as long as the sink gets on; one that stalls is left behind."""
        assert self._thread is not None
        limit = time.monotonic() + _END_SECONDS
        while self._thread.is_alive():
            self._thread.join(0.05)
            now = time.monotonic()
            with self._changed:
                stalled = not self._is_finishing and now - self._moved > _STALL_SECONDS
                if stalled or now > limit:
                    self._abandoned = True
                    return

    def verdict(self) -> SinkError | None:
        """What to tell when the run is over: nothing, unless records were lost or the end failed."""
        with self._changed:
            name = type(self._sink).__name__
            # What waits, and the one that it has in hand.
            left = len(self._queue) + (not self._is_finishing) if self._abandoned else 0
            if self._abandoned and self._error is None and self._end_error is None:
                return SinkError(f"{name} does not react: {left} records are not written.", "See what it waits for.")
            error = self._end_error or self._error
            missing = self._lost + left + (self._dropped if self._durable else 0)
            if error is not None and missing:
                return SinkError(f"{error.message} ({missing} records are not written.)", error.remedy)
            if error is None and missing:
                return SinkError(f"{name} was too slow or failed for a while: {missing} records are not written.")
            return error

    def _is_full(self, record: Record) -> bool:
        if not self._durable:
            return len(self._queue) >= QUEUE
        return len(self._queue) >= SPOOL or bool(self._queue and self._bytes + _weight(record) > SPOOL_BYTES)

    def _popped(self) -> Record:
        record = self._queue.popleft()
        self._bytes -= _weight(record)
        return record

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"orilla {type(self._sink).__name__}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (record := self._next()) is not None:
            self._deliver(record)
        assert self._counts is not None
        with self._changed:
            self._is_finishing = True
        self._end_error = finish(self._sink, self._counts)
        self._end_error = close(self._sink) or self._end_error

    def _next(self) -> Record | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._counts is not None)
            return self._popped() if self._queue else None

    def _deliver(self, record: Record) -> None:
        pause = _FIRST_PAUSE
        for attempt in itertools.count(1):
            if self._is_written(record) or (attempt >= _TRIES and self._is_passed(record)):
                return
            if not self._durable or self._is_over():
                self._lose()
                if not self._durable:
                    self._wait(pause)
                return
            self._wait(pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_passed(self, record: Record) -> bool:
        """Try the record behind one that was refused several times; where it passes, the first has its last try."""
        with self._changed:
            behind = self._popped() if self._queue else None
        if behind is None:
            return False
        if self._is_written(behind):
            if not self._is_written(record):
                self._lose()
            return True
        with self._changed:
            self._queue.appendleft(behind)
            self._bytes += _weight(behind)
        return False

    def _is_written(self, record: Record) -> bool:
        try:
            self._sink.write(record)
        except StopRun:
            self._stop()
        except Exception as error:
            self._fail(as_sink_error(self._sink, error))
            return False
        with self._changed:
            recovered, self._error = self._error, None
            self._written += 1
            self._moved = time.monotonic()
        if recovered is not None and self._is_told:
            # As loud as its beginning: who reads the log must not believe that it lasts.
            self._is_told = False
            _log.warning("%s is written again.", type(self._sink).__name__)
        return True

    def _fail(self, error: SinkError) -> None:
        now = time.monotonic()
        with self._changed:
            is_new = self._error is None and now - self._logged >= _QUIET_SECONDS
            self._error = error
            if is_new:
                self._logged = now
                self._is_told = True
        if is_new:
            _log.warning("%s The run goes on, and it is tried again.", printable(error.message))

    def _lose(self) -> None:
        with self._changed:
            self._lost += 1

    def _is_over(self) -> bool:
        with self._changed:
            return self._counts is not None

    def _wait(self, seconds: float) -> None:
        """Pause before the next try; the end of the run ends it."""
        with self._changed:
            self._changed.wait_for(lambda: self._counts is not None, seconds)


def _weight(record: Record) -> int:
    """Bytes of a record's result, roughly."""
    if isinstance(record.result, RawOutputs):
        return sum(tensor.nbytes for tensor in record.result.tensors.values())
    return _CLASS_BYTES * len(record.result.predictions) if isinstance(record.result, Classification) else 0


class _Guarded:
    """A sink of the main thread: called at once, and left out for good once it failed."""

    def __init__(self, sink: Sink, stop: Callable[[], None]) -> None:
        self._sink = sink
        self._inline = Inline([sink], stop)
        self._error: SinkError | None = None
        self._dropped = 0

    @property
    def report(self) -> SinkReport:
        return replace(self._inline.reports[0], dropped=self._dropped)

    def put(self, record: Record) -> None:
        if self._error is not None:
            self._dropped += 1
            return
        try:
            self._inline.write(record)
        except SinkError as error:
            self._error = error
            _log.warning("%s The run goes on without it.", printable(error.message))

    def end(self, counts: Counts) -> None:
        errors = self._inline.finish(counts)
        self._error = self._error or (errors[0] if errors else None)

    def verdict(self) -> SinkError | None:
        return self._error
