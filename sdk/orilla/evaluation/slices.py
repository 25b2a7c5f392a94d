"""Accuracy by slice: by a column of the table, or by folder, so that a bias shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.intervals import Cells, Estimate, class_means, percent, share
from orilla.evaluation.significance import holm, worse_than_the_rest
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

FOLDER = "folder"
EMPTY = "(empty)"
LEVEL = 0.05
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Slice:
    """The pictures with one value of a column.

    p: how likely it is to be this much less often right than all the others by chance alone, after Holm's correction
    for the number of slices. p_within_classes: the same, compared class by class: large where harder classes are the
    reason. Both are exact (see `significance`).
    """

    value: str
    n: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    p: float
    p_within_classes: float

    @property
    def worse(self) -> bool:
        """Whether it is significantly worse than the others."""
        return self.p < LEVEL


@dataclass(frozen=True, slots=True)
class Slices:
    """All values of a column, the worst first."""

    column: str
    slices: tuple[Slice, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """The slices that are significantly worse, one sentence each; empty where none is."""
        return tuple(_sentence(self.column, one) for one in self.slices if one.worse)


def slice_values(images: LabelledImages, column: str) -> tuple[str, ...]:
    """The value of each picture: of the table's column, or with `folder`, of the folder below that of the class.

    Raises:
        UsageError: no such column, no folders, or one value alone.
    """
    columns = images.columns
    values = columns[column] if column in columns else _folders(images) if column == FOLDER else None
    if values is None:
        known = ", ".join([*columns, FOLDER])
        raise UsageError(f"{images.root} has no column {column!r} to slice by.", f"Take {known}.")
    found = tuple(value.strip() or EMPTY for value in values)
    different = len(set(found))
    if different < 2:
        raise UsageError(f"All pictures of {images.root} have the same {column}.", "Slice by something that differs.")
    if different > _MOST:
        raise UsageError(
            f"{column} has {different} values: too many to compare.", f"Slice by something with {_MOST} at most."
        )
    return found


def _folders(images: LabelledImages) -> tuple[str, ...]:
    """The folders on the way to each picture, without those that only say its class."""
    parts = [path.parent.parts for path in images.paths]
    labels = [images.label(place) for place in range(len(images))]
    if all(len(one) > 0 and one[0] == label for one, label in zip(parts, labels, strict=True)):
        parts = [one[1:] for one in parts]
    return tuple("/".join(one) for one in parts)


def judge_slices(
    column: str, values: Sequence[str], truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> Slices:
    """How often the pictures of each value are right; `values`, `truth` and `predicted` have one entry a picture."""
    names, group = np.unique(np.asarray(values, dtype=object), return_inverse=True)
    wrong = truth != predicted
    tests = [_tests(group == place, wrong, truth) for place in range(len(names))]
    plain, within = (holm([each[side] for each in tests]) for side in (0, 1))
    found = [
        _slice(str(name), group == place, truth, predicted, classes, plain[place], within[place])
        for place, name in enumerate(names)
    ]
    return Slices(column, tuple(sorted(found, key=lambda one: (one.accuracy.value, one.value))))


def _tests(members: NDArray[np.bool_], wrong: NDArray[np.bool_], truth: NDArray[np.integer]) -> tuple[float, float]:
    whole = (int((members & wrong).sum()), int(members.sum()), int(wrong.sum()), len(wrong))
    sizes = np.bincount(truth)
    counts = np.stack(
        [
            np.bincount(truth[members & wrong], minlength=len(sizes)),
            np.bincount(truth[members], minlength=len(sizes)),
            np.bincount(truth[wrong], minlength=len(sizes)),
            sizes,
        ],
        axis=1,
    )
    return worse_than_the_rest([whole]), worse_than_the_rest([tuple(row) for row in counts.tolist() if row[2]])


def _slice(
    name: str,
    members: NDArray[np.bool_],
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    classes: int,
    p: float,
    p_within: float,
) -> Slice:
    cells = Cells.of(truth[members], predicted[members], classes)
    n = int(members.sum())
    right = int((truth[members] == predicted[members]).sum())
    return Slice(name, n, share(right, n), class_means(cells)[0], p, p_within)


def _sentence(column: str, one: Slice) -> str:
    text = (
        f"{column} {one.value}: {percent(one.accuracy.value)} of {one.n} right "
        f"({percent(one.accuracy.low)} to {percent(one.accuracy.high)}), significantly less than the others "
        f"(p {_p(one.p)})"
    )
    if one.p_within_classes >= LEVEL:
        return f"{text}; its mixture of classes may be the reason (p {_p(one.p_within_classes)} class by class)."
    return f"{text}, also class by class (p {_p(one.p_within_classes)})."


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
