"""The one place that speaks with Optuna: a study that several workers share, and that survives each of them."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla.tuning.around import MODEL, Space
from orilla.tuning.presence import forget, lives
from orilla.tuning.records import MAX_DEATHS, State, Trial, place_of, score
from orilla.tuning.settings import without_password
from orilla.tuning.space import Dimension, Range, Value
from orilla_runtime.errors import OrillaError, SinkError

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.log"
_WAIT_FOR_DEFAULT = 5.0
_SURPLUS = "more than were asked for"


class Study:
    """A study of `space`. `workers` is the folder where each worker's presence shows."""

    def __init__(self, study: optuna.Study, space: Space, seed: int, workers: Path) -> None:
        self._study, self._space, self._seed, self._workers = study, space, seed, workers

    def trials(self) -> list[Trial]:
        """Every trial but those that were one too many, by number."""
        found = (_record(trial, self._space) for trial in self._study.get_trials(deepcopy=False))
        return [trial for trial in found if trial.reason != _SURPLUS]

    def claim(self, worker: str, total: int) -> Claim | None:
        """A trial to run, or None where another worker took the last."""
        asked = self._study.ask()
        # The sampler draws at the first suggestion. Seeded by the trial, two workers never draw the same, and a search
        # that goes on does not begin its random numbers again.
        self._study.sampler = _sampler(self._seed, asked.number, total, len(self._space.branches) > 1)
        if place_of(asked.number, self.trials()) >= total and not asked.user_attrs.get("default"):
            asked.set_user_attr("reason", _SURPLUS)
            self._study.tell(asked, state=_states().FAIL)
            return None
        asked.set_user_attr("worker", worker)
        return Claim(self._study, asked, self._space)

    def sweep(self) -> list[int]:
        """Give back the trials of workers that died; their numbers."""
        lost = []
        for trial in self._study.get_trials(deepcopy=False, states=(_states().RUNNING,)):
            worker = trial.user_attrs.get("worker")
            # Between asking and naming its worker a trial is nobody's for a moment.
            if worker is None and time.time() - _started(trial) < _WAIT_FOR_DEFAULT:
                continue
            if worker is not None and lives(self._workers, str(worker)):
                continue
            with suppress(ValueError, _exceptions().UpdateFinishedTrialError):  # Another worker was quicker.
                self._study.tell(trial.number, state=_states().FAIL)
                lost.append(trial.number)
                deaths = int(trial.user_attrs.get("deaths", 0)) + 1
                if deaths < MAX_DEATHS:
                    _again(self._study, self._space, trial, deaths)
                if worker is not None:
                    forget(self._workers, str(worker))
        return lost


class Claim:
    """A trial that this worker runs; exactly one of `done`, `pruned`, `failed` and `given_back` ends it."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, space: Space) -> None:
        self._study, self._trial, self._space = study, trial, space
        self.number = trial.number
        self.default = bool(trial.user_attrs.get("default"))
        self.model, self.values = _drawn(trial, space, self.default)
        self._epochs: list[tuple[float, float]] = []
        self._began = time.monotonic()
        trial.set_user_attr("model", self.model)
        trial.set_user_attr("values", json.dumps(self.values))

    def report(self, step: int, accuracy: float, loss: float) -> bool:
        """One epoch; True where the trial should be pruned. The default never is: it is what the rest is held to."""
        self._epochs.append((accuracy, loss))
        self._trial.report(score(accuracy, loss), step)
        return not self.default and self._trial.should_prune()

    def done(self) -> None:
        """It ran to its end."""
        self._keep_figures()
        self._study.tell(self._trial, max(score(*epoch) for epoch in self._epochs))

    def pruned(self) -> None:
        """It was too bad to go on."""
        self._keep_figures()
        self._study.tell(self._trial, state=_states().PRUNED)

    def failed(self, reason: str) -> None:
        """It cannot be trained."""
        self._keep_figures()
        self._trial.set_user_attr("reason", reason)
        self._study.tell(self._trial, state=_states().FAIL)

    def given_back(self) -> None:
        """It was interrupted; a later worker begins it again."""
        self._trial.set_user_attr("interrupted", True)
        self._study.tell(self._trial, state=_states().FAIL)
        _again(self._study, self._space, self._trial, int(self._trial.user_attrs.get("deaths", 0)))

    def _keep_figures(self) -> None:
        figures: dict[str, Any] = {"epochs": len(self._epochs), "seconds": round(time.monotonic() - self._began, 2)}
        if self._epochs:
            figures["accuracy"], figures["loss"] = max(self._epochs, key=lambda epoch: score(*epoch))
        self._trial.set_user_attr("figures", figures)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's and TensorFlow's remarks off the screen: what a user must know, the events say."""
    _optuna()
    loggers = [logging.getLogger(name) for name in ("optuna", "tensorflow")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def open_study(folder: Path, name: str, storage: str | None, space: Space, *, seed: int, epochs: int) -> Study:
    """Join the study of that name, or begin it; its first trial is the default recipe, whoever begins.

    Args:
        storage: an address that Optuna knows; None is the folder's own journal.
        epochs: of a trial at most; no trial is pruned in the first half of them.

    Raises:
        OrillaError: Optuna is not installed. SinkError: the storage cannot be opened.
    """
    optuna = _optuna()
    try:
        kept = _journal(folder / JOURNAL) if storage is None else optuna.storages.RDBStorage(storage)
        try:
            study = optuna.create_study(storage=kept, study_name=name, direction="maximize")
            _begin(study, space)
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(storage=kept, study_name=name)
            _wait_for_default(study, space)
    except OrillaError:
        raise
    except Exception as error:  # Whatever a database's driver raises.
        where = _shown(folder, storage)
        raise SinkError(
            f"{where}: the study cannot be opened: {_first_line(error)}", "Check the address, or free space."
        ) from error
    # Neither sampler nor pruner stand in the storage.
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, -(-epochs // 2)))
    return Study(study, space, seed, folder / "workers")


@contextmanager
def within_reach(folder: Path, storage: str | None) -> Iterator[None]:
    """Tells where a study breaks off because its storage, or the disk, does.

    Raises:
        SinkError: in place of what the operating system or a database's driver raises.
    """
    try:
        yield
    except Exception as error:
        ours = isinstance(error, OSError | _exceptions().StorageInternalError)
        if not ours and not type(error).__module__.startswith("sqlalchemy."):
            raise
        where = (error.filename if isinstance(error, OSError) else None) or _shown(folder, storage)
        raise SinkError(
            f"{where}: the study breaks off: {_first_line(error)}", "Mend that; the same command then goes on."
        ) from error


def _shown(folder: Path, storage: str | None) -> str:
    return str(folder / JOURNAL) if storage is None else without_password(storage)


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _begin(study: optuna.Study, space: Space) -> None:
    study.enqueue_trial(space.default(), user_attrs={"default": True})


def _wait_for_default(study: optuna.Study, space: Space) -> None:
    """Another worker has begun the study; unless it died just then, the default recipe is already its first trial."""
    until = time.monotonic() + _WAIT_FOR_DEFAULT
    while not study.get_trials(deepcopy=False):
        if time.monotonic() > until:
            _begin(study, space)
        time.sleep(0.05)


def _again(study: optuna.Study, space: Space, trial: optuna.Trial | optuna.trial.FrozenTrial, deaths: int) -> None:
    default = bool(trial.user_attrs.get("default"))
    params = space.default() if default else dict(trial.params)
    study.enqueue_trial(params, user_attrs={"default": default, "deaths": deaths})


def _journal(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

    # Links need a privilege on Windows.
    lock = JournalFileOpenLock(str(path)) if sys.platform == "win32" else JournalFileSymlinkLock(str(path))
    backend = JournalFileBackend(str(path), lock_obj=lock)
    _mend(path, lock)
    return JournalStorage(backend)


def _mend(path: Path, lock: Any) -> None:
    """Cut off the part of a line that a full disk or a power cut left: Optuna would refuse the whole journal."""
    with path.open("r+b") as file:
        if _ends_well(file):
            return
        lock.acquire()
        try:
            if not _ends_well(file):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        finally:
            lock.release()


def _ends_well(file: Any) -> bool:
    size = file.seek(0, 2)
    if size == 0:
        return True
    file.seek(size - 1)
    return bool(file.read(1) == b"\n")


def _sampler(seed: int, number: int, total: int, several: bool) -> optuna.samplers.BaseSampler:
    sampler: optuna.samplers.BaseSampler = _optuna().samplers.TPESampler(
        seed=(seed * 1_000_003 + number) % 2**32,
        n_startup_trials=max(4, min(10, total // 3)),
        multivariate=True,
        group=several,
        constant_liar=True,
        warn_independent_sampling=False,
    )
    return sampler


def _drawn(trial: optuna.Trial, space: Space, default: bool) -> tuple[str, dict[str, Value]]:
    first = space.branches[0].model
    model = first
    if len(space.branches) > 1:
        model = trial.suggest_categorical(MODEL, [branch.model for branch in space.branches])
    branch = space.branch(model)
    held = space.default() if default else {}
    values: dict[str, Value] = {}
    for dimension in branch.dimensions:
        name = space.parameter(model, dimension.name)
        # The space may lie beside what the recipe says; the default is the recipe all the same.
        if not default or name in held:
            values[dimension.name] = _suggested(trial, name, dimension)
        elif dimension.name in branch.defaults:
            values[dimension.name] = branch.defaults[dimension.name]
    return model, values


def _suggested(trial: optuna.Trial, name: str, dimension: Dimension) -> Value:
    if not isinstance(dimension, Range):
        return dimension.options[dimension.options.index(trial.suggest_categorical(name, dimension.options))]
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=dimension.log)
    return dimension.rounded(trial.suggest_float(name, low, high, step=step, log=dimension.log))


def _record(trial: optuna.trial.FrozenTrial, space: Space) -> Trial:
    attributes = trial.user_attrs
    figures = attributes.get("figures", {})
    deaths = int(attributes.get("deaths", 0))
    state = _state(trial, deaths)
    reason = str(attributes.get("reason", ""))
    if state == "failed" and not reason:
        reason = f"{deaths + 1} workers died of it; it may need more memory than there is"
    return Trial(
        number=trial.number,
        state=state,
        default=bool(attributes.get("default")),
        model=str(attributes.get("model", space.branches[0].model)),
        values=json.loads(attributes.get("values", "{}")),
        accuracy=figures.get("accuracy"),
        loss=figures.get("loss"),
        epochs=int(figures.get("epochs", len(trial.intermediate_values))),
        seconds=float(figures.get("seconds", 0)),
        reason=reason,
        worker=str(attributes.get("worker", "")),
        deaths=deaths,
    )


def _state(trial: optuna.trial.FrozenTrial, deaths: int) -> State:
    states = _states()
    if trial.state != states.FAIL:
        named: dict[Any, State] = {
            states.WAITING: "waiting",
            states.RUNNING: "running",
            states.COMPLETE: "done",
            states.PRUNED: "pruned",
        }
        return named[trial.state]
    if "interrupted" in trial.user_attrs:
        return "lost"
    return "failed" if "reason" in trial.user_attrs or deaths + 1 >= MAX_DEATHS else "lost"


def _started(trial: optuna.trial.FrozenTrial) -> float:
    return trial.datetime_start.timestamp() if trial.datetime_start else 0.0


def _states() -> Any:
    return _optuna().trial.TrialState


def _exceptions() -> Any:
    return _optuna().exceptions


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise OrillaError(
            "Tuning needs Optuna, which is not installed.", "Install it: pip install 'orilla[tune]'"
        ) from error
    return optuna
