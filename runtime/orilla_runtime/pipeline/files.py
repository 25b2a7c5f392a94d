"""Files: one thread reads ahead, every frame, in order, and no further than memory should go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing

from orilla_runtime.pipeline.jobs import Job, Outcome, Verdict, items
from orilla_runtime.pipeline.plan import Limits
from orilla_runtime.pipeline.releasing import close_sources
from orilla_runtime.sources.base import Failure, Frame, Source

_BYTES_AHEAD = 256 * 1024 * 1024
"""Pictures that may wait for their turn; one may always be worked on, however large it is."""
_CLOSE_SECONDS = 0.5


class FileFeed:
    """Implements `Feed` for sources that are read to their end, one after another."""

    def __init__(self, sources: Sequence[Source], limits: Limits, workers: int) -> None:
        self._sources = sources
        self._limits = limits
        self._ahead = 2 * workers + 2
        # Three reasons to wait, one lock: a step wakes only the thread that can go on.
        lock = threading.RLock()
        self._work, self._room, self._done = (threading.Condition(lock) for _ in range(3))
        self._lock = lock
        self._order: deque[Job] = deque()
        self._waiting: deque[Job] = deque()
        self._bytes = 0
        self._ended = self._closed = False
        self.skipped = 0

    @property
    def dropped(self) -> int:
        """What the sources dropped themselves; those of files have no reason to."""
        return sum(source.dropped for source in self._sources)

    @property
    def exhausted(self) -> bool:
        """True when every job was handed over."""
        with self._lock:
            return self._closed or (self._ended and not self._order)

    def start(self) -> None:
        """Begin to read. A daemon: a file system that hangs must not keep the process alive."""
        threading.Thread(target=self._read, name="orilla reader", daemon=True).start()

    def take(self) -> Job | None:
        """The next job that was read."""
        with self._lock:
            while not self._closed:
                if self._waiting and (self._bytes < _BYTES_AHEAD or self._waiting[0] is self._order[0]):
                    return self._waiting.popleft()
                if self._ended and not self._waiting:
                    return None
                self._work.wait()
        return None

    def settle(self, job: Job, outcome: Outcome) -> None:
        """The job is done."""
        with self._lock:
            job.outcome = outcome
            if isinstance(outcome, Verdict):
                self._weigh(job, outcome.frame)
            if self._order and self._order[0] is job:
                self._done.notify()

    def finished(self, seconds: float) -> Job | None:
        """The first job in order, when it is done."""
        with self._lock:
            if not self._is_first_done():
                self._done.wait_for(lambda: self._is_first_done() or (self._ended and not self._order), seconds)
            if not self._is_first_done():
                return None
            job = self._order.popleft()
            if self._bytes >= _BYTES_AHEAD:
                self._work.notify_all()
            self._bytes -= job.size
            self._room.notify()
            return job

    def wind_up(self) -> None:
        """What was read ahead of a stop is let go."""

    def close(self) -> None:
        """Wake everybody, close the sources."""
        with self._lock:
            self._closed = True
            self._notify_all()
        close_sources(self._sources, _CLOSE_SECONDS)

    def _notify_all(self) -> None:
        for reason in (self._work, self._room, self._done):
            reason.notify_all()

    def _is_first_done(self) -> bool:
        return bool(self._order) and self._order[0].outcome is not None

    def _read(self) -> None:
        try:
            self._read_sources()
        except BaseException as error:  # Whatever a source raises is raised where the records are taken.
            self._put(Job(error))
        finally:
            with self._lock:
                self._ended = True
                self._notify_all()

    def _read_sources(self) -> None:
        read = pictures = 0
        for source in self._sources:
            with closing(items(source, undecoded=True)) as found:
                for place, item in enumerate(found):
                    if place % self._limits.every and not isinstance(item, Failure):
                        self.skipped += 1
                        continue
                    if not self._put(Job(item, pictures)):
                        return
                    read += 1
                    pictures += not isinstance(item, Frame | Failure)
                    if read == self._limits.max_frames:
                        return
            source.close()

    def _put(self, job: Job) -> bool:
        """Wait for room and append the job; False once closed."""
        with self._lock:
            self._room.wait_for(self._has_room)
            if self._closed:
                return False
            self._order.append(job)
            if job.outcome is None:
                self._waiting.append(job)
                if isinstance(job.item, Frame):
                    self._weigh(job, job.item)
                self._work.notify()
            elif self._order[0] is job:
                self._done.notify()
            return True

    def _has_room(self) -> bool:
        return self._closed or not self._order or (len(self._order) < self._ahead and self._bytes < _BYTES_AHEAD)

    def _weigh(self, job: Job, frame: Frame) -> None:
        size = frame.image.nbytes
        self._bytes += size - job.size
        job.size = size
