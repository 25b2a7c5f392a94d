"""What a search gives back, and the files that it leaves."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.split import TEST, VALIDATION
from orilla.evaluation.keras_model import keras_scores
from orilla.evaluation.significance import mcnemar
from orilla.tuning import plot
from orilla.tuning.around import Space
from orilla.tuning.records import Trial, best_of, counted, default_of
from orilla.tuning.space import Value
from orilla.tuning.trial import Task
from orilla_converters.keras_card import read_card
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.errors import OrillaError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages

_SURE = 0.05
BEST_MODEL, BEST, TRIALS, PLOT = "best.keras", "best.json", "trials.csv", "search.png"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that was judged. changes: what `train` is told beside the model. test: seen by no part of the search.

    accuracy, loss: on the pictures of validation, which chose it: the accuracy of the best flatters.
    """

    number: int
    model: str
    changes: Mapping[str, Value]
    accuracy: float
    loss: float
    test: Accuracy


@dataclass(frozen=True, slots=True)
class TuneResult:
    """A search: its folder, its trials by number, and what they found.

    finished: all trials are over; otherwise the same call goes on. best, default: of the trials so far; None where none
    ran to its end, or where the search was interrupted (the test is only looked at in the end). chance: p-value of
    McNemar's exact test, 0 to 1, that the two differ on the test by chance; None where they are the same. command:
    trains the best again.
    """

    folder: Path
    trials: tuple[Trial, ...]
    total: int
    finished: bool
    best: Candidate | None
    default: Candidate | None
    chance: float | None
    command: str
    seconds: float

    @property
    def summary(self) -> str:
        """The result in a sentence."""
        over = sum(trial.state in {"done", "pruned", "failed"} for trial in self.trials)
        if self.best is None:
            return f"{over} of {self.total} trials are over"
        found = f"{over} trials, best {self.best.number}: {_judged(self.best)}"
        if self.default is None:
            return f"{found}; the default recipe could not be trained"
        if self.best.number == self.default.number:
            return f"{found}; it is the default recipe: no trial was better"
        verdict = "" if self.chance is None else f"; {_verdict(self.chance)}"
        return f"{found}; the default recipe: {_judged(self.default)}{verdict}"


def judge(trials: Sequence[Trial], task: Task, retrain: Callable[[Trial], None]) -> tuple[Candidate, Candidate | None]:
    """The best trial and the default, with their accuracy on the test.

    retrain: called for a trial whose model is not there, as after a crash at the wrong moment.

    Raises:
        OrillaError: no trial ran to its end.
    """
    best, default = best_of(trials), default_of(trials)
    if best is None:
        reasons = [f"trial {trial.number}: {trial.reason}" for trial in counted(trials) if trial.reason]
        raise OrillaError(
            f"No trial ran to its end. {reasons[0] if reasons else ''}".strip(),
            "Give it more --trials or --timeout.",
        )
    for trial in {best.number: best, **({default.number: default} if default else {})}.values():
        if not task.model_file(trial.number).is_file():
            retrain(trial)
    return _candidate(best, task), None if default is None else _candidate(default, task)


def chance_of(best: Candidate, default: Candidate, task: Task, images: LabelledImages) -> float:
    """The p-value that the two differ on the pictures of the test by chance."""
    files = [task.model_file(candidate.number) for candidate in (best, default)]
    card = read_card(files[0])
    assert card is not None
    tested = set(card.training["split"]["test"])
    pictures = images.subset([place for place, path in enumerate(images.paths) if path.as_posix() in tested])
    first, second = (_right(file, pictures) for file in files)
    return mcnemar(int((first & ~second).sum()), int((second & ~first).sum()))


def _right(file: Path, pictures: LabelledImages) -> NDArray[np.bool_]:
    judged = keras_scores(file, pictures)
    return np.asarray(judged.scores.argmax(axis=1) == judged.truth)


def command_of(task: Task, best: Candidate) -> str:
    """The command that trains the best again."""
    words = ["orilla", "train", task.data, "--output", BEST_MODEL, "--model", best.model, "--seed", str(task.seed)]
    unasked = {"validation": VALIDATION, "test": TEST}
    split = {name: value for name, value in task.split.items() if value != unasked.get(name)}
    for name, value in {**split, **best.changes}.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def write_course(folder: Path, trials: Sequence[Trial], space: Space) -> None:
    """Write the table and the plot of the trials.

    Raises:
        SinkError: they cannot be written.
    """
    names = list(dict.fromkeys(each.name for branch in space.branches for each in branch.dimensions))
    fields = ("number", "state", "default", "model", "accuracy", "loss", "epochs", "seconds", "reason", "worker")
    with replaced(folder / TRIALS) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*fields, *names])
        for trial in trials:
            row = [getattr(trial, name) for name in fields] + [trial.values.get(name) for name in names]
            writer.writerow(["" if value is None else value for value in row])
    plot.draw(folder / PLOT, trials, space)


def write_best(task: Task, result: TuneResult) -> None:
    """Write the best model and what made it.

    Raises:
        SinkError: they cannot be written.
    """
    assert result.best is not None
    with replaced(task.folder / BEST_MODEL) as part:
        shutil.copyfile(task.model_file(result.best.number), part)
    content = {
        "model": result.best.model,
        "changes": dict(result.best.changes),
        "command": result.command,
        "best": asdict(result.best),
        "default": None if result.default is None else asdict(result.default),
        "chance": result.chance,
        "trials": len(counted(result.trials)),
        "finished": result.finished,
    }
    with replaced(task.folder / BEST) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def as_json(result: TuneResult) -> dict[str, Any]:
    """The whole result as plain JSON."""
    return {
        "study": str(result.folder),
        "finished": result.finished,
        "total": result.total,
        "best": None if result.best is None else asdict(result.best),
        "default": None if result.default is None else asdict(result.default),
        "chance": result.chance,
        "command": result.command,
        "trials": [asdict(trial) for trial in result.trials],
        "seconds": round(result.seconds, 2),
    }


def _candidate(trial: Trial, task: Task) -> Candidate:
    card = read_card(task.model_file(trial.number))
    assert card is not None
    assert trial.accuracy is not None
    assert trial.loss is not None
    test = Accuracy(**card.training["test"])
    changes = task.space.branch(trial.model).changes(trial.values)
    return Candidate(trial.number, trial.model, changes, trial.accuracy, trial.loss, test)


def _verdict(chance: float) -> str:
    if chance > _SURE:
        return f"on the test the two may differ by chance alone (p = {chance:.2f})"
    return f"on the test the two do not differ by chance alone (p = {chance:.2g})"


def _judged(candidate: Candidate) -> str:
    test = candidate.test
    return (
        f"{candidate.accuracy:.1%} of validation right, {test.top1:.1%} of the test "
        f"({test.low:.1%} to {test.high:.1%}, {test.n} pictures)"
    )
