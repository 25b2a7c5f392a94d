"""Threads that decode and infer, each with a model of its own where that can be had; a bounded queue before them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import SourceError
from orilla_runtime.pipeline.plan import PictureModel, Replica, Replicable, Transform
from orilla_runtime.sinks.base import Record
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.picture import MAX_PIXELS, decode_picture
from orilla_runtime.timing import Timing

_DECODERS = 4
"""Threads that only decode, where one model on another device than the CPU does the rest."""


class PoolFullError(Exception):
    """No place in the queue."""


class PoolClosedError(Exception):
    """The service ends."""


class Pool:
    """Turns the bytes of pictures into records, as a run of these files would. `submit` is for any thread.

    Args:
        model: a loaded model; it stays open. With replicas each worker has its own with one thread, else it is shared.
        workers: pictures at once; by default as many as the model may use CPUs.
        waiting: pictures that may wait for a worker.
        max_pixels: of the largest picture that is decoded.
        transforms: what is done to each record of a picture; one at a time.
    """

    def __init__(
        self,
        model: PictureModel,
        *,
        workers: int | None = None,
        waiting: int = 64,
        max_pixels: int = MAX_PIXELS,
        transforms: Sequence[Transform] = (),
    ) -> None:
        self._model = model
        self._room = waiting
        self._max_pixels = max_pixels
        self._transforms = tuple(transforms)
        self._transforming = threading.Lock()
        self._changed = threading.Condition()
        self._queue: deque[tuple[Future[Record], bytes, str]] = deque()
        self._running: set[Future[Record]] = set()
        self._closed = False
        self._replicas = ExitStack()
        threads = model.cpu_threads if isinstance(model, Replicable) else None
        self.workers = workers or threads or min(usable_cpus(), _DECODERS)
        with ExitStack() as opened:
            models: list[PictureModel | Replica] = [model]
            if threads is not None and self.workers > 1 and isinstance(model, Replicable):
                replicas = [model.replica() for _ in range(self.workers)]
                for replica in replicas:
                    opened.callback(replica.close)
                models = [*replicas]
            self._replicas = opened.pop_all()
        self._threads = [
            threading.Thread(target=self._work, args=(models[place % len(models)],), name=f"orilla pool {place}")
            for place in range(self.workers)
        ]
        for thread in self._threads:
            thread.daemon = True  # one that decodes a huge picture must not keep the process
            thread.start()

    @property
    def waiting(self) -> int:
        """Pictures that wait for a worker now."""
        with self._changed:
            return len(self._queue)

    @property
    def is_full(self) -> bool:
        """True where a picture would be refused now."""
        with self._changed:
            return self._closed or len(self._queue) >= self._room

    @property
    def is_alive(self) -> bool:
        """True while it takes pictures."""
        return not self._closed and all(thread.is_alive() for thread in self._threads)

    def submit(self, data: bytes, name: str) -> Future[Record]:
        """The record of a picture file's bytes, of a frame or of a failure; `name` is its source.

        The future raises ModelError, or PoolClosedError. Raises PoolFullError, PoolClosedError.
        """
        future: Future[Record] = Future()
        with self._changed:
            if self._closed:
                raise PoolClosedError
            if len(self._queue) >= self._room:
                raise PoolFullError
            self._queue.append((future, data, name))
            self._changed.notify()
        return future

    def refuse(self) -> None:
        """Take no more pictures and refuse those that wait; those that are worked on are finished."""
        with self._changed:
            self._closed = True
            waiting = [future for future, _, _ in self._queue]
            self._queue.clear()
            self._changed.notify_all()
        _refuse(waiting)

    def close(self, seconds: float = 0.5) -> None:
        """The same; then refuse also what is not finished after so many seconds."""
        self.refuse()
        limit = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        with self._changed:
            running = list(self._running)
        _refuse(running)
        # A replica that still computes must not be closed under the feet of its engine.
        if not any(thread.is_alive() for thread in self._threads):
            self._replicas.close()

    def _work(self, model: PictureModel | Replica) -> None:
        while (job := self._next()) is not None:
            future, data, name = job
            try:
                outcome = self._record(model, data, name)
            except BaseException as error:  # It is raised where the answer is waited for.
                with suppress(InvalidStateError):
                    future.set_exception(error)
            else:
                with suppress(InvalidStateError):
                    future.set_result(outcome)
            with self._changed:
                self._running.discard(future)
            del job, future, data  # while it waits for the next, nothing is held

    def _next(self) -> tuple[Future[Record], bytes, str] | None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return None
                job = self._queue.popleft()
                if job[0].set_running_or_notify_cancel():
                    self._running.add(job[0])
                    return job

    def _record(self, model: PictureModel | Replica, data: bytes, name: str) -> Record:
        about = (self._model.bundle_id, self._model.artifact, self._model.engine)
        arrived, at, start = time.monotonic_ns(), datetime.now(UTC), time.perf_counter_ns()
        try:
            image = decode_picture(data, name, max_pixels=self._max_pixels)
            image.setflags(write=False)
            frame = Frame(image, 0, name, None, arrived, at, time.perf_counter_ns() - start)
            result, spent = model.process(image)
        except SourceError as error:
            return Record(None, None, None, Failure(name, 0, error.message), *about)
        timing = Timing(frame.decode_ns / 1e6, spent.preprocess, spent.infer, spent.postprocess)
        record = Record(frame, result, timing, None, *about)
        with self._transforming:
            for transform in self._transforms:
                record = transform(record)
        return record


def _refuse(futures: Sequence[Future[Record]]) -> None:
    for future in futures:
        with suppress(InvalidStateError):
            future.set_exception(PoolClosedError())
