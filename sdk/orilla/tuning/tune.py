"""`tune`: the search for the recipe that suits the pictures, from nothing or from where it was left."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla.data.apart import check_apart
from orilla.data.opening import open_data
from orilla.data.split import TEST, VALIDATION
from orilla.tuning.around import space_for
from orilla.tuning.helpers import helpers
from orilla.tuning.progress import Note, Progress, silent
from orilla.tuning.records import Trial, best_of, counted
from orilla.tuning.result import TuneResult, chance_of, command_of, judge, write_best, write_course
from orilla.tuning.search import Limits, work
from orilla.tuning.settings import FILE, Settings, installed, without_password
from orilla.tuning.space import Value, parse_dimension
from orilla.tuning.study import JOURNAL, Study, open_study, quiet, within_reach
from orilla.tuning.trial import Task
from orilla_runtime.errors import DataError, SinkError, UsageError
from orilla_runtime.labelled import LabelledImages, require_classes

TRIALS = 30


def tune(
    data: str | Path,
    *,
    output: str | Path,
    trials: int = TRIALS,
    models: Sequence[str] = ("small",),
    search: Sequence[str] = (),
    seed: int = 0,
    validation: float = VALIDATION,
    test: float = TEST,
    split: str | Path | None = None,
    group: str | None = None,
    timeout: float | None = None,
    jobs: int = 1,
    storage: str | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Progress | None = None,
    **options: Value,
) -> TuneResult:
    """Search the recipe whose model is best on the pictures of validation, and judge it once on the test.

    The first trial is the model's own recipe. The folder keeps everything: the same call again goes on where the last
    one ended, however it ended, and several at once share the work.

    Args:
        data: as `train` takes it.
        output: the folder of the study; it is made.
        trials: of the study as a whole.
        models: of the zoo; with several, which one is searched too. The first one's recipe is the first trial.
        search: dimensions, such as `learning_rate=0.0001..0.01:log`, `batch_size=16|64` or `optimizer=adamw`, in place
            of those that are laid around the model's recipe.
        seed: of the split, of every training and of the search.
        validation, test, split, group: which pictures the search goes by and which judge the best, as `train` takes it.
        timeout: minutes after which no trial is begun and the running one is given back.
        jobs: workers on this machine.
        storage: an address of a database that Optuna knows, in place of a journal in the folder. The workers need the
            same folder all the same, for the models.
        stop: asked while a trial runs; once it says True, that trial is given back.
        progress: is told of every trial and epoch.
        options: of `train`, for every trial, such as `epochs` or `image_size`.

    Raises:
        UsageError: an option that is not possible, or a folder of another search. DataError: the pictures.
        OrillaError: Optuna is not installed, or no trial could be trained. SinkError: something cannot be written.
    """
    if trials < 1 or jobs < 1 or (timeout is not None and not timeout > 0):
        raise UsageError("trials, jobs and timeout are above 0.", "Take --trials 30.")
    started, told = time.monotonic(), progress or silent
    fixed = {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in options.items()
        if value is not None
    }
    parts = {"validation": validation, "test": test, "split": split and str(split), "group": group}
    asked = _Asked(
        data=str(data),
        output=str(output),
        models=tuple(models),
        search=tuple(search),
        seed=seed,
        split={name: value for name, value in parts.items() if value is not None},
        options=fixed,
        storage=storage,
    )
    until = started + 60 * timeout if timeout is not None else float("inf")
    limits = Limits(trials, stop or _never, until)
    with quiet(), within_reach(Path(output), storage):
        opened = _open(asked)
        job = {**asked.as_json(), "trials": trials, "timeout": timeout}
        with helpers(min(jobs, trials) - 1, job):
            work(opened.study, opened.task, limits, told)
        return _finish(opened, limits, told, started)


def help_with(job: Mapping[str, Any], stop: Callable[[], bool]) -> None:
    """Be a further worker of a study; it writes no report."""
    timeout = job["timeout"]
    until = float("inf") if timeout is None else time.monotonic() + 60 * float(timeout)
    with quiet():
        opened = _open(_Asked.from_json(job))
        work(opened.study, opened.task, Limits(int(job["trials"]), stop, until), silent)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What decides a study, as the caller gave it."""

    data: str
    output: str
    models: tuple[str, ...]
    search: tuple[str, ...]
    seed: int
    split: Mapping[str, Any]
    options: Mapping[str, Value]
    storage: str | None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, job: Mapping[str, Any]) -> _Asked:
        found = {name: job[name] for name in cls.__slots__}
        return cls(**{**found, "models": tuple(found["models"]), "search": tuple(found["search"])})


@dataclass(frozen=True, slots=True)
class _Opened:
    """A study that work can begin on."""

    study: Study
    task: Task
    images: LabelledImages


def _open(asked: _Asked) -> _Opened:
    folder = Path(asked.output)
    check_apart(folder, asked.data)
    dimensions = [parse_dimension(text) for text in asked.search]
    images = open_data(asked.data)
    require_classes(images, 2)
    space = space_for(asked.models, dimensions, asked.options, images)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: {error.strerror or error}.", "Give the name of a folder.") from error
    settings = Settings(
        data_digest=images.digest(),
        split=_split_described(asked.split),
        space=space.described(),
        seed=asked.seed,
        storage=JOURNAL if asked.storage is None else without_password(asked.storage),
        versions=installed(),
    )
    first = not (folder / FILE).exists()
    name = settings.study(folder)
    try:
        study = open_study(folder, name, asked.storage, space, seed=asked.seed, epochs=space.branches[0].epochs)
    except SinkError:
        if first:  # An address with a slip in it must not decide what the folder is for.
            (folder / FILE).unlink(missing_ok=True)
        raise
    return _Opened(study, Task(asked.data, asked.seed, space, folder, asked.split), images)


def _split_described(split: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the split; of a file its content."""
    if "split" not in split:
        return dict(split)
    path = Path(split["split"])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.", "Give a CSV of path and split.") from error
    return {**split, "split": hashlib.sha256(content).hexdigest()}


def _finish(opened: _Opened, limits: Limits, progress: Progress, started: float) -> TuneResult:
    trials = tuple(opened.study.trials())
    task = opened.task
    write_course(task.folder, trials, task.space)
    places = counted(trials)[: limits.total]
    whole = len(places) >= limits.total and all(trial.state not in {"running", "waiting"} for trial in places)
    best = default = chance = None
    command = ""
    if not limits.stop() and (whole or best_of(trials) is not None):

        def again(trial: Trial) -> None:
            progress(Note(f"The model of trial {trial.number} is not there; it is trained again."))
            task.train(trial.number, trial.model, trial.values, _silent)

        best, default = judge(trials, task, again)
        command = command_of(task, best)
        if default is not None and default.number != best.number:
            chance = chance_of(best, default, task, opened.images)
    seconds = time.monotonic() - started
    result = TuneResult(task.folder, trials, limits.total, whole, best, default, chance, command, seconds)
    if result.best is not None:
        write_best(task, result)
    return result


def _never() -> bool:
    return False


def _silent(_event: object) -> None:
    """Shows nothing."""
