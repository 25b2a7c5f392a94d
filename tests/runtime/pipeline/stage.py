"""What the tests of a run need: sources, models and sinks that do what a test says, when it says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from orilla_runtime.sinks.base import Counts, Record, Timing
from orilla_runtime.sources.base import Failure, Frame, Image

PATIENCE = 20.0
"""Seconds after which a test gives up; no test waits for them to pass."""

Item = Frame | Failure | BaseException


def frame(number: int, source: str = "clip", *, size: tuple[int, int] = (8, 8)) -> Frame:
    """A frame that shows its number."""
    image = np.full((*size, 3), number % 256, np.uint8)
    image.setflags(write=False)
    return Frame(image, number, source, number / 25, time.monotonic_ns(), datetime.now(UTC))


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.002)


class Shows:
    """A model whose result is the number that a picture shows; it can be told to wait, or to fail at a number."""

    bundle_id, artifact, engine = None, "shows.tflite", "test/cpu"

    def __init__(self, *, fail_at: int = -1, cpu_threads: int | None = None) -> None:
        self.fail_at = fail_at
        self.cpu_threads = cpu_threads
        self.may_run = threading.Event()
        self.may_run.set()
        self.replicas: list[Shows] = []
        self.closed = 0
        self.processed: list[int] = []

    def process(self, image: Image) -> tuple[Any, Timing]:
        assert not self.closed
        assert self.may_run.wait(PATIENCE)
        number = int(image[0, 0, 0])
        self.processed.append(number)
        if number == self.fail_at:
            raise ArithmeticError(f"{number} is too much")
        return number, Timing(0.0, 0.0, 0.0, 0.0)

    def replica(self, threads: int = 1) -> Shows:
        assert threads == 1
        self.replicas.append(type(self)(fail_at=self.fail_at))
        self.replicas[-1].may_run = self.may_run
        return self.replicas[-1]

    def close(self) -> None:
        self.closed += 1


class Clip:
    """A source of given items."""

    live = False
    total = None
    dropped = 0

    def __init__(self, items: Iterable[Item], name: str = "clip") -> None:
        self.items = items
        self.name = name
        self.read = 0
        self.closed = 0

    def __iter__(self) -> Iterator[Frame | Failure]:
        for item in self.items:
            self.read += 1
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self.closed += 1


class Camera:
    """A live source that gives what a test puts in, and hangs where it is told to, whatever is done to it."""

    live = True
    total = None
    dropped = 0

    def __init__(self, name: str = "camera") -> None:
        self.name = name
        self.given = 0
        self.closed = 0
        self.hangs = threading.Event()
        self._changed = threading.Condition()
        self._items: list[Item | None] = []

    def give(self, *items: Item | None) -> None:
        """None is the end."""
        with self._changed:
            self._items.extend(items)
            self._changed.notify_all()

    def shoot(self, number: int) -> None:
        self.give(frame(number, self.name))

    def __iter__(self) -> Iterator[Frame | Failure]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or (self.closed and not self.hangs.is_set()))
                item = self._items.pop(0) if self._items else None
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            self.given += 1
            yield item

    def close(self) -> None:
        with self._changed:
            self.closed += 1
            self._changed.notify_all()
        if self.hangs.is_set():
            threading.Event().wait()


class Paper:
    """A sink that keeps what it is told; a test can make it wait or fail."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.threads: set[str] = set()
        self.calls: list[str] = []
        self.counts: Counts | None = None
        self.error: Exception | None = None
        self.refused = -1
        self.may_write = threading.Event()
        self.may_write.set()
        self.called = threading.Semaphore(0)

    def write(self, record: Record) -> None:
        self.called.release()
        self.may_write.wait()
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        if record.result == self.refused:
            raise ValueError("not this one")
        self.records.append(record)
        self.calls.append("write")

    def finish(self, counts: Counts) -> None:
        self.counts = counts
        self.calls.append("finish")

    def close(self) -> None:
        self.calls.append("close")

    @property
    def results(self) -> list[Any]:
        return [record.result for record in self.records]


class Ledger(Paper):
    """The same, durable."""

    durable = True
