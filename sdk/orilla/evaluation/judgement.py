"""Everything that scores and the truth say of a classifier: from probabilities to a `Judgement`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.calibration import Calibration, calibration
from orilla.evaluation.intervals import Cells, Estimate, class_means, share
from orilla.evaluation.slices import Slices, judge_slices
from orilla.evaluation.thresholds import Thresholds, propose
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled.scores import top1

FALSE_REJECT_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is wanted of a judgement besides the usual figures.

    top_k: how many classes are looked at for `top_k`. false_reject_rate, precision: what the proposed threshold is to
    keep, 0 to 1; `precision` goes first. ok_class: the label of good parts, for inspection. mistakes: how many of the
    worst are kept. seed: of the bootstrap.

    Raises:
        UsageError: a value that is not possible.
    """

    top_k: int = 5
    false_reject_rate: float = FALSE_REJECT_RATE
    precision: float | None = None
    ok_class: str | None = None
    mistakes: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UsageError(f"top_k={self.top_k} is not possible.", "Take 1 or more.")
        for name, value in (("false_reject_rate", self.false_reject_rate), ("precision", self.precision)):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name}={value} is not possible.", "Take 0 to 1.")

    def ok(self, labels: Sequence[str]) -> tuple[int, str] | None:
        """The number and the name of the class of good parts.

        Raises:
            UsageError: it is no label, or that of several classes.
        """
        if self.ok_class is None:
            return None
        places = [place for place, label in enumerate(labels) if label == self.ok_class]
        if len(places) != 1:
            some = ", ".join(repr(label) for label in labels[:5]) + (", …" if len(labels) > 5 else "")
            raise UsageError(f"{self.ok_class!r} is not one label of the model.", f"Its labels are {some}.")
        return places[0], self.ok_class


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said: `scores` float32 [n, classes], of the pictures `paths`, which are `truth` int64 [n]."""

    paths: tuple[str, ...]
    truth: NDArray[np.int64]
    scores: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The best class of each picture, int64 [n]; the first of equal ones."""
        best: NDArray[np.int64] = self.scores.argmax(axis=1).astype(np.int64)
        return best


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class. `support`: pictures that are it; `predicted`: pictures taken for it; `hits`: both.

    precision: None where nothing was taken for it; recall and f1: None where no picture is it.
    """

    class_id: int
    label: str
    support: int
    predicted: int
    hits: int
    precision: float | None
    recall: Estimate | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong picture. `place`: in the pictures that were judged; scores: of the predicted and of the true class."""

    place: int
    path: str
    truth: int
    predicted: int
    score: float
    truth_score: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """How good a classifier is on one set of pictures; all shares are 0 to 1, intervals are 95 %.

    balanced_accuracy, macro_f1: means over the classes that have pictures. top_k: the share whose class is among the
    `k` best; None where there are not more classes than that. confusion: (truth, predicted, pictures), without zeros.
    mistakes: the surest first. answers: what it was made from; not a part of its JSON.
    """

    labels: tuple[str, ...]
    n: int
    accuracy: Accuracy
    balanced_accuracy: Estimate
    macro_f1: Estimate
    k: int
    top_k: Estimate | None
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, int, int], ...]
    calibration: Calibration
    thresholds: Thresholds
    slices: tuple[Slices, ...]
    mistakes: tuple[Mistake, ...]
    answers: Answers = field(repr=False, compare=False)

    @property
    def errors(self) -> int:
        """How many pictures are wrong."""
        return sum(n for truth, predicted, n in self.confusion if truth != predicted)

    def to_json(self) -> dict[str, Any]:
        """All of it but the answers, as plain JSON."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "answers"}
        return {name: _plain(value) for name, value in found.items()}


def judge(
    scores: NDArray[Any],
    truth: NDArray[np.integer],
    labels: Sequence[str],
    *,
    paths: Sequence[str] = (),
    slices: Mapping[str, Sequence[str]] | None = None,
    criteria: Criteria | None = None,
) -> Judgement:
    """Judge probabilities.

    Args:
        scores: probabilities [n, classes], n ≥ 1, as `labels` order the classes.
        truth: int [n], the true classes; not every class needs a picture.
        paths: of the pictures; empty: they are numbered.
        slices: values, one a picture, under the names of their columns.

    Raises:
        DataError: no pictures, or scores that do not fit the truth and the labels.
        UsageError: an OK class that is no label.
    """
    criteria = criteria or Criteria()
    answers = _answers(scores, truth, labels, paths)
    predicted = answers.predicted
    cells = Cells.of(answers.truth, predicted, len(labels))
    balanced, macro_f1 = class_means(cells, seed=criteria.seed)
    return Judgement(
        labels=tuple(labels),
        n=len(predicted),
        accuracy=top1(predicted, answers.truth),
        balanced_accuracy=balanced,
        macro_f1=macro_f1,
        k=criteria.top_k,
        top_k=_top_k(answers, criteria.top_k),
        classes=_classes(cells, labels),
        confusion=tuple(zip(cells.truth.tolist(), cells.predicted.tolist(), cells.n.tolist(), strict=True)),
        calibration=calibration(answers.scores, answers.truth),
        thresholds=propose(
            answers.scores,
            answers.truth,
            false_reject_rate=criteria.false_reject_rate,
            precision=criteria.precision,
            ok=criteria.ok(labels),
        ),
        slices=tuple(
            judge_slices(column, values, answers.truth, predicted, len(labels))
            for column, values in (slices or {}).items()
        ),
        mistakes=_mistakes(answers, predicted, criteria.mistakes),
        answers=answers,
    )


def _answers(scores: NDArray[Any], truth: NDArray[np.integer], labels: Sequence[str], paths: Sequence[str]) -> Answers:
    values, classes = np.asarray(scores, np.float32), np.asarray(truth, np.int64)
    if values.ndim != 2 or classes.shape != values.shape[:1] or values.shape[1] != len(labels):
        raise DataError(f"Scores {values.shape} do not fit {classes.shape} true classes and {len(labels)} labels.")
    if not len(values):
        raise DataError("There are no labelled pictures to judge by.", "Give a folder with a subfolder for each class.")
    if classes.min() < 0 or classes.max() >= len(labels):
        raise DataError(f"A true class is none of the {len(labels)} classes.")
    if not np.isfinite(values).all():
        raise DataError("The model's scores are not finite numbers.", "The model is ruined: make it again.")
    names = tuple(paths) or tuple(str(place) for place in range(len(values)))
    if len(names) != len(values):
        raise DataError(f"{len(names)} paths do not fit {len(values)} pictures.")
    return Answers(names, classes, values)


def _top_k(answers: Answers, k: int) -> Estimate | None:
    """Equal scores stand in class order, as results show them."""
    classes = answers.scores.shape[1]
    if classes <= k:
        return None
    of_truth = answers.scores[np.arange(len(answers.truth)), answers.truth][:, None]
    earlier = np.arange(classes) < answers.truth[:, None]
    before = (answers.scores > of_truth) | ((answers.scores == of_truth) & earlier)
    return share(int((before.sum(axis=1) < k).sum()), len(answers.truth))


def _classes(cells: Cells, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    right = cells.truth == cells.predicted
    support = np.bincount(cells.truth, cells.n, len(labels)).astype(int).tolist()
    predicted = np.bincount(cells.predicted, cells.n, len(labels)).astype(int).tolist()
    hits = np.bincount(cells.truth[right], cells.n[right], len(labels)).astype(int).tolist()
    return tuple(
        ClassScores(
            class_id=place,
            label=label,
            support=support[place],
            predicted=predicted[place],
            hits=hits[place],
            precision=hits[place] / predicted[place] if predicted[place] else None,
            recall=share(hits[place], support[place]) if support[place] else None,
            f1=2 * hits[place] / (support[place] + predicted[place]) if support[place] else None,
        )
        for place, label in enumerate(labels)
    )


def _mistakes(answers: Answers, predicted: NDArray[np.int64], most: int) -> tuple[Mistake, ...]:
    """Ranked by how far the wrong class is in front of the right one; of equal ones, by path."""
    everyone = np.arange(len(predicted))
    score, of_truth = answers.scores[everyone, predicted], answers.scores[everyone, answers.truth]
    wrong = np.flatnonzero(predicted != answers.truth).tolist()
    worst = sorted(wrong, key=lambda place: (float(of_truth[place] - score[place]), answers.paths[place]))[:most]
    return tuple(
        Mistake(
            place=place,
            path=answers.paths[place],
            truth=int(answers.truth[place]),
            predicted=int(predicted[place]),
            score=float(score[place]),
            truth_score=float(of_truth[place]),
        )
        for place in worst
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
