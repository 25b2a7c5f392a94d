"""Two models on the same pictures: which one is better, and whether chance alone could say so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.intervals import Estimate
from orilla.evaluation.judgement import Judgement
from orilla.evaluation.significance import holm, mcnemar
from orilla_runtime.errors import DataError

LEVEL = 0.05
RESAMPLES = 2000
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class in both models. p: McNemar's, after Holm's correction for the number of classes."""

    label: str
    support: int
    old_recall: float
    new_recall: float
    difference: Estimate
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new model beside an old one, paired: both judged the same `n` pictures.

    only_old, only_new: pictures that are right with that model alone. p: McNemar's exact test of the two. Differences
    are new less old, -1 to 1, with 95 % intervals. classes: those that have pictures.
    """

    n: int
    only_old: int
    only_new: int
    p: float
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    classes: tuple[ClassChange, ...]

    @property
    def worse(self) -> bool:
        """Whether the new model is significantly less often right."""
        return self.p < LEVEL and self.only_old > self.only_new

    @property
    def better(self) -> bool:
        """Whether the new model is significantly more often right."""
        return self.p < LEVEL and self.only_new > self.only_old

    @property
    def worse_classes(self) -> tuple[str, ...]:
        """Labels of the classes that are significantly less often found."""
        return tuple(one.label for one in self.classes if one.p < LEVEL and one.difference.value < 0)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {**asdict(self), "classes": [asdict(one) for one in self.classes], "worse": self.worse}


def compare(old: Judgement, new: Judgement, *, seed: int = 0) -> Comparison:
    """Compare two models on the pictures that both have judged; classes are matched by their labels.

    Pictures are the same where their paths are. Differences of shares have the interval of Agresti and Min (2005); over
    classes these are put together by their squares (Zou and Donner 2008); macro-F1 has the bootstrap's.

    Raises:
        DataError: no picture in common, one that is not the same class in both, or labels that repeat and differ.
    """
    labels = _labels(old.labels, new.labels)
    first, second = _paired(old, new)
    truth, old_said = _named(old, first, labels)
    other_truth, new_said = _named(new, second, labels)
    if (truth != other_truth).any():
        path = old.answers.paths[int(first[np.flatnonzero(truth != other_truth)[0]])]
        raise DataError(f"{path} is not of the same class in both judgements.", "Judge both models on the same data.")
    old_right, new_right = old_said == truth, new_said == truth
    classes = _classes(truth, old_right, new_right, labels)
    return Comparison(
        n=len(truth),
        only_old=int((old_right & ~new_right).sum()),
        only_new=int((new_right & ~old_right).sum()),
        p=mcnemar(int((old_right & ~new_right).sum()), int((new_right & ~old_right).sum())),
        accuracy=_difference(old_right, new_right),
        balanced_accuracy=_mean([one.difference for one in classes]),
        macro_f1=_f1_difference(truth, old_said, new_said, len(labels), seed),
        classes=classes,
    )


def _paired(old: Judgement, new: Judgement) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    place_of = {path: place for place, path in enumerate(new.answers.paths)}
    pairs = [(place, place_of[path]) for place, path in enumerate(old.answers.paths) if path in place_of]
    if not pairs:
        raise DataError("The two judgements have no picture in common.", "Judge both models on the same data.")
    both = np.array(pairs, np.int64)
    return both[:, 0], both[:, 1]


def _labels(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of both models, the old one's first."""
    if old == new:
        return old
    if len(set(old)) < len(old) or len(set(new)) < len(new):
        raise DataError("The two models have different labels, and some stand twice.", "Give each class its own label.")
    return tuple(dict.fromkeys([*old, *new]))


def _named(
    judgement: Judgement, places: NDArray[np.int64], labels: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """True and predicted classes as places in the labels of both models."""
    place_of = {label: place for place, label in enumerate(labels)}
    same = judgement.labels == labels  # then labels may repeat: the number is the class
    ids = np.array([n if same else place_of[label] for n, label in enumerate(judgement.labels)], np.int64)
    answers = judgement.answers
    return ids[answers.truth[places]], ids[answers.predicted[places]]


def _difference(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Estimate:
    n, lost, gained = len(old), int((old & ~new).sum()), int((new & ~old).sum())
    change = (gained - lost) / (n + 2)
    spread = _Z * math.sqrt(max(0.0, (gained + lost + 1) - (gained - lost) ** 2 / (n + 2))) / (n + 2)
    value = (gained - lost) / n
    return Estimate(value, max(-1.0, min(value, change - spread)), min(1.0, max(value, change + spread)))


def _mean(parts: Sequence[Estimate]) -> Estimate:
    value = sum(part.value for part in parts) / len(parts)
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Estimate(value, max(-1.0, value - below), min(1.0, value + above))


def _classes(
    truth: NDArray[np.int64], old: NDArray[np.bool_], new: NDArray[np.bool_], labels: Sequence[str]
) -> tuple[ClassChange, ...]:
    present = np.unique(truth).tolist()
    members = [truth == place for place in present]
    tests = holm([mcnemar(int((old & ~new)[each].sum()), int((new & ~old)[each].sum())) for each in members])
    return tuple(
        ClassChange(
            label=labels[place],
            support=int(each.sum()),
            old_recall=float(old[each].mean()),
            new_recall=float(new[each].mean()),
            difference=_difference(old[each], new[each]),
            p=p,
        )
        for place, each, p in zip(present, members, tests, strict=True)
    )


def _f1_difference(
    truth: NDArray[np.int64], old: NDArray[np.int64], new: NDArray[np.int64], classes: int, seed: int
) -> Estimate:
    triples, counts = np.unique(np.stack([truth, old, new]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(truth), counts / len(truth), size=_resamples(len(counts)))
    value = float(_gain(triples, counts[None], classes)[0])
    low, high = np.percentile(_gain(triples, drawn, classes), (2.5, 97.5))
    return Estimate(value, min(float(low), value), max(float(high), value))


def _resamples(cells: int) -> int:
    return max(200, min(RESAMPLES, 20_000_000 // cells))


def _gain(triples: NDArray[np.int64], counts: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """New macro-F1 less old of each row of counts [sets, cells]; the classes that have pictures in that set."""
    total, there = np.zeros(len(counts)), np.zeros(len(counts))
    truth, old, new = triples
    for place in range(classes):
        mine = truth == place
        if not mine.any():
            continue
        support = counts[:, mine].sum(axis=1)
        there += support > 0
        for said, sign in ((new, 1), (old, -1)):
            hits = counts[:, mine & (said == place)].sum(axis=1)
            predicted = counts[:, said == place].sum(axis=1)
            total += sign * np.where(support > 0, 2 * hits / np.maximum(support + predicted, 1), 0)
    gain: NDArray[np.float64] = total / there
    return gain
