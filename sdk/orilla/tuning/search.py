"""A worker: it takes trial after trial of the study until none is left, beside any number of others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from orilla.tuning.presence import present
from orilla.tuning.progress import Began, Ended, Epoch, Event, Note, Opened, Progress, Waiting
from orilla.tuning.records import best_of, counted, default_of, finished
from orilla.tuning.study import Study
from orilla.tuning.trial import Task, run_trial
from orilla_runtime.errors import OrillaError

_PAUSE = 0.3
_ENOUGH_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """When a worker stops. total: trials of the study. stop: asked after every epoch. until: of `time.monotonic`."""

    total: int
    stop: Callable[[], bool]
    until: float

    def over(self) -> bool:
        """True where no further trial is begun, and the running one is given back."""
        return self.stop() or time.monotonic() > self.until


def work(study: Study, task: Task, limits: Limits, progress: Progress) -> None:
    """Run trials until the study has all of them; those of workers that die meanwhile are run here too.

    Raises:
        OrillaError: every trial fails, or the pictures or the disk are at fault.
    """
    told = _Told(study, limits.total, progress)
    told.opened(str(task.folder))
    with present(task.folder / "workers") as worker:
        waiting = False
        while not limits.over():
            for number in study.sweep():
                task.remove(number)
                progress(Note(f"The worker of trial {number} died; its parameters are tried again."))
            told.news()
            _check_failures(study)
            places = counted(study.trials())[: limits.total]
            if len(places) < limits.total or any(trial.state == "waiting" for trial in places):
                _run_one(study, task, limits, worker, told)
                _tidy(study, task)
                waiting = False
                continue
            running = sum(trial.state == "running" for trial in places)
            if not running:
                break
            if not waiting:
                progress(Waiting(running))
                waiting = True
            time.sleep(_PAUSE)
    told.news()


def _run_one(study: Study, task: Task, limits: Limits, worker: str, told: _Told) -> None:
    claim = study.claim(worker, limits.total)
    if claim is not None:
        told(Began(claim.number, claim.model, claim.values, claim.default))
        run_trial(task, claim, told, limits.over)


def _tidy(study: Study, task: Task) -> None:
    """Remove the files of trials that were beaten: only the best and the default keep theirs."""
    trials = study.trials()
    kept = {trial.number for trial in (best_of(trials), default_of(trials)) if trial is not None}
    for trial in finished(trials):
        if trial.number not in kept:
            task.remove(trial.number)


def _check_failures(study: Study) -> None:
    trials = study.trials()
    reasons = [trial.reason for trial in counted(trials) if trial.state == "failed"]
    if len(reasons) >= _ENOUGH_FAILURES and best_of(trials) is None:
        raise OrillaError(
            f"None of the first {len(reasons)} trials could be trained: {reasons[0]}",
            "Correct it with --search or --model, and begin with another --output.",
        )


class _Told:
    """Passes this worker's events on, and tells of trials that ended, also of other workers, once each."""

    def __init__(self, study: Study, total: int, progress: Progress) -> None:
        self._study, self._total, self._progress = study, total, progress
        self._known: set[int] = set()
        self._looked = 0.0

    def opened(self, folder: str) -> None:
        trials = self._study.trials()
        over = finished(trials)
        self._known = {trial.number for trial in over}
        self._progress(Opened(folder, len(over), self._total, best_of(trials)))

    def news(self) -> None:
        trials = self._study.trials()
        over = finished(trials)
        for trial in over:
            if trial.number not in self._known:
                self._known.add(trial.number)
                self._progress(Ended(trial, best_of(trials), len(self._known), self._total))
        self._looked = time.monotonic()

    def __call__(self, event: Event) -> None:
        self._progress(event)
        if isinstance(event, Epoch) and time.monotonic() > self._looked + 1:
            self.news()
