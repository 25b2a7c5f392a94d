"""The threads that decode and infer, each with a model of its own where that can be had."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from orilla_runtime.errors import OrillaError, SourceError
from orilla_runtime.pipeline.jobs import Feed, Job, Outcome, Verdict
from orilla_runtime.pipeline.plan import PictureModel, Plan, Replica, Replicable
from orilla_runtime.pipeline.reduction import Reduction
from orilla_runtime.pipeline.releasing import join_all
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.text import printable
from orilla_runtime.timing import Timing

_log = logging.getLogger(__name__)

_ALONE = 4
"""Frames that the model works off by itself before replicas are made: a short run pays for none."""


class Workers:
    """Takes jobs from a feed and settles them, until the feed has none.

    The first worker begins with the model as it was loaded. When the run turns out to be a longer one, every worker
    opens a replica with one thread. A model without replicas is shared: pictures are then decoded side by side and
    inferred one after the other.
    """

    def __init__(self, model: PictureModel, feed: Feed, plan: Plan, reduction: Reduction | None) -> None:
        self._model = model
        self._feed = feed
        self._plan = plan
        self._reduction = reduction
        self._one_at_a_time = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin with one worker; it starts the others."""
        self._start(self._first)

    def join(self, seconds: float) -> None:
        """Wait for the workers to end, after the feed was closed."""
        join_all(list(self._threads), seconds)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"orilla worker {len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _first(self) -> None:
        for _ in range(_ALONE):
            if not self._work_off(self._feed.take(), self._model):
                return
        job = self._feed.take()
        if job is not None:
            for _ in range(self._plan.workers - 1):
                self._start(self._further)
            self._further(job)

    def _further(self, job: Job | None = None) -> None:
        replica = self._replica() if self._plan.replicas else None
        try:
            model = replica or self._model
            while self._work_off(job or self._feed.take(), model):
                job = None
        finally:
            if replica is not None:
                replica.close()

    def _replica(self) -> Replica | None:
        """A model for this thread; None where there is none to be had, for want of memory perhaps."""
        try:
            return self._model.replica() if isinstance(self._model, Replicable) else None
        except (OrillaError, MemoryError) as error:
            _log.warning("A worker shares the model: %s", printable(str(error)))
            return None

    def _work_off(self, job: Job | None, model: PictureModel | Replica) -> bool:
        if job is None:
            return False
        try:
            outcome = self._outcome(job, model)
        except BaseException as error:  # It is raised where the records are taken.
            outcome = error
        self._feed.settle(job, outcome)
        return True

    def _outcome(self, job: Job, model: PictureModel | Replica) -> Outcome:
        item = job.item
        if isinstance(item, Frame):
            return self._verdict(item, model)
        if isinstance(item, Failure | BaseException):
            return item
        if self._reduction is not None:
            return self._reduction.outcome(job, item, lambda frame: self._verdict(frame, model))
        decoded = item.decode()
        return decoded if isinstance(decoded, Failure) else self._verdict(decoded, model)

    def _verdict(self, frame: Frame, model: PictureModel | Replica) -> Verdict | Failure:
        try:
            if model is self._model and self._plan.workers > 1:
                with self._one_at_a_time:
                    result, spent = model.process(frame.image)
            else:
                result, spent = model.process(frame.image)
        except SourceError as error:  # a picture that no model takes
            return Failure(frame.source, frame.index, error.message)
        age = (time.monotonic_ns() - frame.captured_ns) / 1e6 if self._plan.live else None
        timing = Timing(frame.decode_ns / 1e6, spent.preprocess, spent.infer, spent.postprocess, age)
        return Verdict(frame, result, timing)
