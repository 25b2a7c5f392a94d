"""Live sources: a reader each, only the newest frame of each, and every source in its turn."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing

from orilla_runtime.pipeline.jobs import Job, Outcome, items
from orilla_runtime.pipeline.plan import Limits
from orilla_runtime.pipeline.releasing import close_sources, join_all
from orilla_runtime.sources.base import Failure, Frame, Source

_FAILURES = 16
"""Failures of one source that may wait, and frames of one that keeps all; a source that has more waits."""
_BREATH_SECONDS = 0.001
_CLOSE_SECONDS = 0.25
_JOIN_SECONDS = 0.15


class _Slot:
    """What one source gave and nobody took yet: failures in their order, and at most one frame, the newest."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.waits = any(getattr(source, wish, False) for wish in ("on_demand", "keeps_all"))
        self.items: deque[Frame | Failure] = deque()
        self.ended = False
        self.not_before = -math.inf
        self.last = -math.inf

    def drop_frames(self) -> int:
        """Remove what is stale now; how many that were."""
        failures = [item for item in self.items if isinstance(item, Failure)]
        dropped = len(self.items) - len(failures)
        if dropped:
            self.items = deque(failures)
        return dropped


class LiveFeed:
    """Implements `Feed` for sources that do not wait.

    Frames are taken only as fast as verdicts are: while the one who runs the pipeline is busy with a record, all
    workers but one may be ahead of it. So no verdict is older than the time that the workers and the caller need. A
    source that hangs, ends or raises concerns its own thread only.

    A source is read as fast as it gives, so that no driver's buffer ages its frames. One that keeps the newest itself
    (`on_demand`), or everything (`keeps_all`), is asked when a worker is free: it decodes nothing in vain, and nothing
    of it is dropped here.
    """

    def __init__(self, sources: Sequence[Source], limits: Limits, workers: int) -> None:
        self._slots = [_Slot(source) for source in sources]
        self._limits = limits
        self._workers = workers
        self._changed = threading.Condition()
        self._order: deque[Job] = deque()
        self._next_slot = self._free_workers = 0
        self._asked = self._winding_up = self._closed = False
        self._threads: list[threading.Thread] = []
        self._dropped = 0
        self.skipped = 0

    @property
    def dropped(self) -> int:
        """What was replaced by newer frames here, and what the sources dropped themselves."""
        return self._dropped + sum(slot.source.dropped for slot in self._slots)

    @property
    def exhausted(self) -> bool:
        """True when every source ended, and every job was handed over."""
        with self._changed:
            return self._closed or (not self._order and (self._winding_up or self._is_dry()))

    def start(self) -> None:
        """Begin to read. Daemons: a driver that never returns must not keep the process alive."""
        for slot in self._slots:
            name = f"orilla reader {slot.source.name}"
            self._threads.append(threading.Thread(target=self._read, args=(slot,), name=name, daemon=True))
            self._threads[-1].start()

    def take(self) -> Job | None:
        """The newest frame of the next source in turn that has one."""
        with self._changed:
            while not (self._closed or self._winding_up):
                slot = self._slot_in_turn() if len(self._order) < self._allowed else None
                if slot is not None:
                    job = self._job_of(slot)
                    if job.outcome is None:
                        return job
                elif all(other.ended and not other.items for other in self._slots):
                    return None
                else:
                    self._wait_for_work()
        return None

    def _wait_for_work(self) -> None:
        is_free = len(self._order) < self._allowed
        self._free_workers += is_free
        if is_free and self._free_workers == 1:
            self._changed.notify_all()
        try:
            self._changed.wait(self._pause())
        finally:
            self._free_workers -= is_free

    def settle(self, job: Job, outcome: Outcome) -> None:
        """The job is done."""
        with self._changed:
            job.outcome = outcome
            self._changed.notify_all()

    def finished(self, seconds: float) -> Job | None:
        """The first job in order, when it is done."""
        with self._changed:
            self._asked = True
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._is_first_done() or self._is_dry(), seconds)
                return self._order.popleft() if self._is_first_done() else None
            finally:
                self._asked = False

    def wind_up(self) -> None:
        """Take no further frame; the verdicts that are on their way are finished."""
        with self._changed:
            self._winding_up = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody, close the sources, end the readers; one that hangs is left behind."""
        with self._changed:
            self._closed = True
            self._dropped += len(self._order) + sum(len(slot.items) for slot in self._slots)
            self._order.clear()
            for slot in self._slots:
                slot.items.clear()
            self._changed.notify_all()
        close_sources([slot.source for slot in self._slots], _CLOSE_SECONDS)
        join_all(self._threads, _JOIN_SECONDS)

    @property
    def _allowed(self) -> int:
        return self._workers if self._asked else self._workers - 1

    def _is_first_done(self) -> bool:
        return bool(self._order) and self._order[0].outcome is not None

    def _is_dry(self) -> bool:
        return not self._order and all(slot.ended and not slot.items for slot in self._slots)

    def _slot_in_turn(self) -> _Slot | None:
        now = time.monotonic()
        for step in range(len(self._slots)):
            place = (self._next_slot + step) % len(self._slots)
            slot = self._slots[place]
            if slot.items and slot.not_before <= now:
                self._next_slot = place + 1
                return slot
        return None

    def _pause(self) -> float | None:
        """Until a source whose rate is limited may go on; as long as it takes where it is not."""
        if self._limits.rate is None:
            return None
        times = [slot.not_before for slot in self._slots if slot.items]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _job_of(self, slot: _Slot) -> Job:
        job = Job(slot.items.popleft())
        if self._limits.rate is not None and job.outcome is None:
            interval, now = 1 / self._limits.rate, time.monotonic()
            # From when it was due, so that the rate is kept on average; from now after a pause.
            slot.not_before = (slot.not_before if now - slot.not_before < interval else now) + interval
        self._order.append(job)
        self._changed.notify_all()
        return job

    def _read(self, slot: _Slot) -> None:
        try:
            with closing(items(slot.source, undecoded=False)) as found:
                while self._is_asked(slot):
                    item = next(found, None)
                    if not isinstance(item, Frame | Failure) or not self._offer(slot, item):
                        return
        finally:
            with self._changed:
                slot.ended = True
                self._changed.notify_all()

    def _is_asked(self, slot: _Slot) -> bool:
        """Wait until the source should give its next picture; False when there is no more need for any."""
        with self._changed:
            while slot.waits and not (self._closed or self._winding_up):
                pause = slot.not_before - time.monotonic()
                if self._free_workers and not slot.items and pause <= 0:
                    break
                self._changed.wait(pause if pause > 0 else None)
            return not (self._closed or self._winding_up)

    def _offer(self, slot: _Slot, item: Frame | Failure) -> bool:
        """Put what the source gave where a worker finds it; False once closed."""
        dropped = 0
        with self._changed:
            if isinstance(item, Failure):
                self._changed.wait_for(lambda: self._closed or len(slot.items) < _FAILURES)
            elif 0 < item.index - slot.last < self._limits.every:
                self.skipped += 1
                return not self._closed
            else:
                slot.last = item.index
                dropped = slot.drop_frames()
                self._dropped += dropped
            if self._closed:
                self._dropped += 1
                return False
            slot.items.append(item)
            self._changed.notify_all()
            if dropped:
                # A source that never pauses would keep the lock, and the interpreter, from everybody else.
                self._changed.wait(_BREATH_SECONDS)
            return True
