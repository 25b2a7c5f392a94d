"""One run: what it consists of, what became of its frames, when it is over, and its end."""

from __future__ import annotations

import atexit
import logging
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack

from orilla_runtime.errors import OrillaError, SinkError
from orilla_runtime.pipeline.delivery import Delivery, Inline, raise_first
from orilla_runtime.pipeline.files import FileFeed
from orilla_runtime.pipeline.jobs import Feed, Job, Verdict
from orilla_runtime.pipeline.live import LiveFeed
from orilla_runtime.pipeline.plan import Limits, PictureModel, Plan, Transform
from orilla_runtime.pipeline.queued import Queued
from orilla_runtime.pipeline.reduction import Reduction
from orilla_runtime.pipeline.workers import Workers
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.sinks.base import Counts, Record, Sink
from orilla_runtime.sources.base import Failure, Source
from orilla_runtime.text import printable

_log = logging.getLogger("orilla_runtime.pipeline")

MAX_FAILURES = 100
"""How many failures a pipeline remembers; it counts them all."""

_SLICE = 0.1
"""Seconds after which the one who waits for a record looks whether it should stop. `stop` only sets a flag, since a
signal handler may call it, in the middle of anything."""

_PATIENCE = 0.4
"""Seconds for the verdicts of a live run that are on their way when it is stopped."""


class Run:
    """The state of one run. One thread calls `following`, `settled` and `end`; `stop` and `counts` are for any."""

    def __init__(
        self,
        model: PictureModel,
        sources: Sequence[Source],
        sinks: Sequence[Sink],
        limits: Limits,
        plan: Plan,
        transforms: Sequence[Transform],
    ) -> None:
        self.model = model
        self.sources = tuple(sources)
        self.limits = limits
        self.plan = plan
        self.transforms = tuple(transforms)
        self.reduction = _reduction(model, limits, plan)
        self.feed: Feed = (LiveFeed if plan.live else FileFeed)(self.sources, limits, plan.workers)
        self.workers = Workers(model, self.feed, plan, self.reduction)
        self.delivery: Delivery = (Queued if plan.live else Inline)(sinks, self.stop)
        self.resources = ExitStack()
        self.failures: list[Failure] = []
        self.stopping = False
        self._processed = self._failed = 0
        self._final: Counts | None = None
        self._deadline = self._patience = math.inf
        self._last_errors: dict[str, str] = {}
        self._is_ended = False

    @property
    def counts(self) -> Counts:
        """What became of everything until now."""
        return self._final or Counts(self._processed, self._failed, self.feed.dropped, self.feed.skipped)

    def stop(self) -> None:
        """Wish for the end."""
        self.stopping = True

    def start(self) -> None:
        """Begin to read and to work."""
        # A program may end without closing its run. Threads that are inside native code when the interpreter goes
        # away take the process down with them, and the sinks would not be finished.
        atexit.register(self.end_quietly)
        if self.limits.duration is not None:
            self._deadline = time.monotonic() + self.limits.duration
        self.feed.start()
        self.workers.start()

    def following(self) -> Job | None:
        """The next job in order, when it is done; None when the run is over."""
        while not self._is_over():
            job = self.feed.finished(_SLICE)
            if job is not None:
                return job
            if self.feed.exhausted:
                return None
        return None

    def settled(self, job: Job) -> Record:
        """The record of a job, counted. Raises what the model or the source raised."""
        outcome = job.outcome
        about = (self.model.bundle_id, self.model.artifact, self.model.engine)
        if isinstance(outcome, Verdict):
            record = Record(outcome.frame, outcome.result, outcome.timing, None, *about)
            for transform in self.transforms:
                record = transform(record)
            self._processed += 1
            self._last_errors.pop(outcome.frame.source, None)
            return record
        if isinstance(outcome, Failure):
            self._failed += 1
            self._tell(outcome)
            return Record(None, None, None, outcome, *about)
        assert outcome is not None
        raise outcome

    def end(self) -> None:
        """Stop the readers and workers, finish and close everything, once, whatever fails. Raises SinkError."""
        if self._is_ended:
            return
        self._is_ended = True
        atexit.unregister(self.end_quietly)
        self.feed.close()
        self.workers.join(1.0)
        self._final = self.counts
        with self.resources:
            errors: list[SinkError] = self.delivery.finish(self._final)
        raise_first(errors)

    def end_quietly(self) -> None:
        """The same behind another error, which is the one to tell: what fails now is logged."""
        try:
            self.end()
        except OrillaError as error:
            _log.warning("%s", printable(error.message))

    def _is_over(self) -> bool:
        taken = self._processed + self._failed
        if self.limits.max_frames is not None and taken >= self.limits.max_frames:
            return True
        now = time.monotonic()
        if not self.stopping and now < self._deadline:
            return False
        if not self.plan.live:
            return self.stopping or taken > 0
        if self._patience == math.inf:
            self._patience = now + _PATIENCE
            self.feed.wind_up()
        return now >= self._patience

    def _tell(self, failure: Failure) -> None:
        """Remember the failure, and log it unless it is what its source said last."""
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(failure)
        if self._last_errors.get(failure.source) != failure.error:
            _log.warning("%s", printable(failure.error))
        if self.plan.live:
            self._last_errors.pop(failure.source, None)
            self._last_errors[failure.source] = failure.error
            # Each file of a folder that is watched is a source of its own.
            if len(self._last_errors) > MAX_FAILURES:
                del self._last_errors[next(iter(self._last_errors))]


def _reduction(model: PictureModel, limits: Limits, plan: Plan) -> Reduction | None:
    preprocess = getattr(model, "preprocess", None)
    if limits.decode == "full" or plan.live or not isinstance(preprocess, Preprocess):
        return None
    return Reduction(preprocess, always=limits.decode == "reduced")
