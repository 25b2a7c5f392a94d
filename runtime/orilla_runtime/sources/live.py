"""What all live sources share: the newest picture in one slot, counts, a time limit, and connecting again.

A camera or a stream is a `Connection`; `LiveSource` makes a `Source` of it. One thread connects and reads. Who iterates
decodes what he takes, so a picture that nobody takes costs no decoding, and watches that pictures come at all.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from orilla_runtime.preprocess import as_bgr
from orilla_runtime.sources.address import masked
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.connection import Arrival, Connection, Lost
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.picture_watch import PictureWatch
from orilla_runtime.sources.reports import Reports, more
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 0.5
_FIRST_RETRIES = 2  # Three attempts before the first picture: a wrong address is told within seconds.
_LONGEST_PAUSE = 30.0
_SETTLED_PAUSES = 10  # A connection that lived so long was one; a shorter one counts as a failed attempt.
_MOST_FAILURES = 100  # That wait to be taken; a minute brings a handful.


class LiveSource:
    """A source that keeps only the newest picture; implements `Source`.

    `index` is the number of what was captured, failures included, so a gap shows what was dropped, and at every moment
    `captured` is what was taken plus `dropped` plus what waits in the slot. A lost connection is one failure, then it
    is tried again with growing pauses; the iteration ends only with `close`, or with a failure that says that the
    source was given up. Every kind of trouble is told at most once a minute; damaged pictures beyond that are counted
    in `dropped`. `close` ends a waiting iteration at once and returns within a second, whatever a driver or a server
    does.

    Args:
        make: gives a new, unopened connection for each attempt.
        remedy: what to try when it is given up.
        every: nothing is dropped; who sends has to wait (a pipe). It is not `live` then, and has no time limit.
        opening_seconds: how long the first picture of a connection may take; by default `options.timeout_seconds`.
    """

    on_demand = True

    def __init__(
        self,
        name: str,
        make: Callable[[], Connection],
        options: SourceOptions | None = None,
        *,
        remedy: str = "",
        every: bool = False,
        opening_seconds: float | None = None,
    ) -> None:
        self._name = name
        self._make = make
        self._options = options or SourceOptions()
        self._remedy = remedy
        self._every = every
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._silent_since: float | None = None  # None: nothing is to be waited for.
        self._opening_seconds = opening_seconds or self._options.timeout_seconds
        self._patience = self._opening_seconds
        self._aborted_for: str | None = None
        self._newest: tuple[int, Arrival] | None = None
        self._failures: deque[Failure] = deque()
        self._captured = self._dropped = self._attempts = 0
        self._down = self._ended = self._seen = self._is_loss_told = False
        self._reports = Reports()
        self._watch = PictureWatch(None if every else self._options.frozen_seconds)

    @property
    def name(self) -> str:
        """What a person calls it, without credentials."""
        return self._name

    @property
    def live(self) -> bool:
        """True: pictures that nobody takes are dropped."""
        return not self._every

    @property
    def total(self) -> int | None:
        """None: nobody knows."""
        return None

    @property
    def captured(self) -> int:
        """Pictures that arrived, and failures."""
        with self._changed:
            return self._captured

    @property
    def dropped(self) -> int:
        """Pictures that arrived and were never given, and damaged ones that were not told one by one."""
        with self._changed:
            return self._dropped

    def __iter__(self) -> Iterator[Frame | Failure]:
        self._start()
        try:
            while (item := self._take()) is not None:
                yield item
        finally:
            self.close()

    def close(self) -> None:
        """End the iteration and the connection. The reading thread releases what it holds itself."""
        with self._changed:
            first = not self._stopping.is_set()
            self._stopping.set()
            self._dropped += len(self._failures) + (self._newest is not None)
            self._failures.clear()
            self._newest = None
            self._changed.notify_all()
            connection, thread = self._connection, self._thread
        if connection is not None:
            connection.abort()
        if first and thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)

    # --- who iterates ---

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._stopping.is_set():
                # A daemon: a driver that never returns must not keep the process alive.
                self._thread = threading.Thread(target=self._work, name=f"orilla {self._name}", daemon=True)
                self._thread.start()

    def _take(self) -> Frame | Failure | None:
        """The next frame or failure; None at the end."""
        while True:
            found = self._await()
            if not isinstance(found, tuple):
                return found
            item = self._decoded(*found)
            if item is not None:
                return item

    def _await(self) -> tuple[int, Arrival] | Failure | None:
        with self._changed:
            while True:
                if self._stopping.is_set():
                    return None
                if self._failures and (self._newest is None or self._failures[0].index < self._newest[0]):
                    return self._failures.popleft()
                if self._newest is not None:
                    item, self._newest = self._newest, None
                    self._changed.notify_all()
                    return item
                if self._ended:
                    return None
                # Short waits, because Ctrl-C does not end a long one on Windows.
                self._changed.wait(min(0.5, self._time_left()))
                if self._time_left() <= 0 and self._newest is None:
                    self._overdue()

    def _time_left(self) -> float:
        """Seconds until a picture is overdue; some where nothing is to be waited for. The lock is held."""
        if self._silent_since is None or self._every:
            return 1.0
        return self._silent_since + self._patience - time.monotonic()

    def _overdue(self) -> None:
        """No picture for too long: end the read. One that cannot be ended counts as a failed attempt each time."""
        reason = f"gave no picture for {self._patience:g} seconds"
        self._silent_since = time.monotonic()
        if self._aborted_for is not None:
            self._fail(reason)
            return
        self._aborted_for = reason
        self._lose(reason)
        if self._connection is not None:
            self._connection.abort()

    def _decoded(self, index: int, found: Arrival) -> Frame | Failure | None:
        started = time.perf_counter_ns()
        try:
            # Contiguous, as a view that turns RGB round is not.
            image = np.ascontiguousarray(as_bgr(found.decode()))
        except Exception as error:  # A maker's library may raise anything; the next picture may be good.
            return self._damaged(index, _line(error))
        image.setflags(write=False)
        spent_ns = found.spent_ns + time.perf_counter_ns() - started
        for kind, text in self._watch.look(image, found.captured_ns / 1e9):
            with self._changed:
                self._tell(kind, text)
        return Frame(image, index, self._name, None, found.captured_ns, found.captured_at, spent_ns)

    def _damaged(self, index: int, reason: str) -> Failure | None:
        with self._changed:
            unsaid = self._reports.due("damaged")
            if unsaid is None:
                self._dropped += 1
                return None
        return Failure(self._name, index, f"{self._name}: {reason.rstrip('.')}{more(unsaid)}.", "damaged")

    # --- the thread that reads ---

    def _work(self) -> None:
        while not self._stopping.is_set():
            connection = self._make()
            with self._changed:
                self._connection, self._aborted_for = connection, None
                self._silent_since, self._patience = time.monotonic(), self._opening_seconds
            reason = self._follow(connection)
            with self._changed:
                self._connection = self._silent_since = None
                if self._stopping.is_set() or self._ended:
                    return
                if reason is None:
                    self._end()
                    return
                self._fail(self._aborted_for or reason)
                pause = _pause(self._options.retry_seconds, self._attempts)
            self._stopping.wait(pause)

    def _follow(self, connection: Connection) -> str | None:
        """Read until the connection is lost, and say why; None at an end by right."""
        try:
            connection.open()
            settled_at = time.monotonic() + _SETTLED_PAUSES * self._options.retry_seconds
            while not self._stopping.is_set():
                found = connection.read()
                if found is None:
                    return None
                self._put(found, settled=time.monotonic() >= settled_at)
            return "was closed"
        except Lost as reason:
            return str(reason)
        except Exception as error:  # Whatever a driver or a user's own connection raises is a lost connection.
            return f"failed: {_line(error)}"
        finally:
            try:
                connection.close()
            except Exception as error:  # An error on the way out changes nothing.
                _log.debug("%s: closing failed: %s", printable(self._name), printable(masked(_line(error))))

    def _put(self, found: Arrival, *, settled: bool) -> None:
        with self._changed:
            while self._every and self._newest is not None and not self._stopping.is_set():
                self._changed.wait(0.5)
            is_again, self._down = self._down, False
            if settled:
                self._attempts = 0
            self._seen = True
            self._silent_since, self._patience = time.monotonic(), self._options.timeout_seconds
            index = self._captured + found.skipped
            self._captured = index + 1
            unwanted = self._newest is not None or self._stopping.is_set()
            self._dropped += found.skipped + unwanted
            if not self._stopping.is_set():
                self._newest = (index, found)
                self._changed.notify_all()
        if is_again:
            # As loud as the loss, where that was told: who reads the log must not believe that it lasts.
            level = logging.WARNING if self._is_loss_told else logging.INFO
            _log.log(level, "%s gives pictures again.", printable(self._name))

    # --- both, with the lock held ---

    def _fail(self, reason: str) -> None:
        """An attempt failed: tell of it once an episode, and end where it was the last one."""
        self._attempts += 1
        most = self._options.retries
        if most is None:
            most = self._attempts if self._seen else _FIRST_RETRIES
        if self._attempts <= most:
            self._lose(reason)
            return
        tried = f"; given up after {self._attempts} attempts" if self._attempts > 1 else ""
        self._queue("lost", f"{self._name} {reason}{tried}.{f' {self._remedy}' if self._remedy else ''}")
        self._end()

    def _lose(self, reason: str) -> None:
        if not self._down:
            self._down = True
            self._is_loss_told = self._tell("lost", f"{reason}; connecting again")

    def _tell(self, kind: str, text: str) -> bool:
        unsaid = self._reports.due(text)
        if unsaid is not None:
            self._queue(kind, f"{self._name} {text}{more(unsaid)}.")
        return unsaid is not None

    def _queue(self, kind: str, text: str) -> None:
        if len(self._failures) >= _MOST_FAILURES:
            self._failures.popleft()
            self._dropped += 1
        self._failures.append(Failure(self._name, self._captured, text, kind))
        self._captured += 1
        self._changed.notify_all()

    def _end(self) -> None:
        self._ended = True
        self._changed.notify_all()


def _pause(first: float, attempts: int) -> float:
    """Seconds until the next attempt: doubled each time, shortened by chance by up to a half."""
    return min(_LONGEST_PAUSE, first * 2.0 ** min(attempts - 1, 10)) * random.uniform(0.5, 1)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
