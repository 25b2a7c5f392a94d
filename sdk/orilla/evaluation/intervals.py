"""Figures with their 95 % intervals: means over classes, whose pictures are few and not equally many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.labelled.scores import wilson

RESAMPLES, FEWEST_RESAMPLES = 2000, 300
_MOST_DRAWN = 1_000_000
"""Counts drawn at most, so that 1,000 classes take neither the memory nor the patience; the fewest go first."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A confusion matrix without its zeros, sorted by truth and then by prediction; each array int64 [cells]."""

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    n: NDArray[np.int64]
    classes: int

    @classmethod
    def of(cls, truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Cells:
        """Of the true and the predicted class of each picture."""
        codes, counts = np.unique(truth.astype(np.int64) * classes + predicted, return_counts=True)
        return cls(codes // classes, codes % classes, counts.astype(np.int64), classes)

    def dense(self) -> Cells:
        """The same without the classes that no picture is and that none was taken for; the others are numbered anew."""
        used, places = np.unique(np.concatenate([self.truth, self.predicted]), return_inverse=True)
        return Cells(places[: len(self.truth)], places[len(self.truth) :], self.n, len(used))

    def matrix(self) -> NDArray[np.int64]:
        """Counts, int64 [classes, classes]: a row for each true class."""
        whole = np.zeros((self.classes, self.classes), np.int64)
        whole[self.truth, self.predicted] = self.n
        return whole


def percent(value: float) -> str:
    """`0.975` as `97.5 %`."""
    return f"{value * 100:.1f} %"


def share(count: int, n: int) -> Estimate:
    """`count` of `n` with Wilson's interval (1927); n ≥ 1."""
    return Estimate(count / n, *wilson(count, n))


def class_means(cells: Cells, *, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Balanced accuracy (mean recall) and macro-F1, over the classes that have pictures.

    The interval is the wider one of two, at each end: the bootstrap over pictures (Efron 1979), which knows that errors
    of two classes go together, and Wilson's intervals of the classes put together by their squares (Zou and Donner
    2008), which also holds for a class without a mistake; there the bootstrap sees no doubt at all.
    """
    cells = cells.dense()
    recall, f1 = _class_means(cells, cells.n[None])
    drawn = _resampled(cells, seed)
    ends = [np.percentile(values, (2.5, 97.5)) for values in drawn]
    truth_n, hits, union = _counts(cells)
    by_recall = _squared([wilson(k, n) for k, n in zip(hits, truth_n, strict=True)], [*hits / truth_n])
    jaccards = [wilson(k, n) for k, n in zip(hits, union, strict=True)]
    by_f1 = _squared([(_f1(low), _f1(high)) for low, high in jaccards], [_f1(k) for k in hits / union])
    pairs = zip((recall[0], f1[0]), ends, (by_recall, by_f1), strict=True)
    return tuple(_wider(float(value), end, spread) for value, end, spread in pairs)  # type: ignore[return-value]


def _wider(value: float, ends: NDArray[np.float64], spread: tuple[float, float]) -> Estimate:
    low, high = min(float(ends[0]), value - spread[0]), max(float(ends[1]), value + spread[1])
    return Estimate(value, max(0.0, min(low, value)), min(1.0, max(high, value)))


def _counts(cells: Cells) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of each class with pictures: how many, how many right, how many that are it or were taken for it."""
    truth_n = np.bincount(cells.truth, cells.n, cells.classes).astype(np.int64)
    predicted_n = np.bincount(cells.predicted, cells.n, cells.classes).astype(np.int64)
    right = cells.truth == cells.predicted
    hits = np.bincount(cells.truth[right], cells.n[right], cells.classes).astype(np.int64)
    there = truth_n > 0
    return truth_n[there], hits[there], (truth_n + predicted_n - hits)[there]


def _squared(ends: Sequence[tuple[float, float]], values: Sequence[float]) -> tuple[float, float]:
    """How far the mean of independent figures may be below and above."""
    below = math.sqrt(sum((value - low) ** 2 for (low, _), value in zip(ends, values, strict=True)))
    above = math.sqrt(sum((high - value) ** 2 for (_, high), value in zip(ends, values, strict=True)))
    return below / len(values), above / len(values)


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def _resampled(cells: Cells, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both means of sets drawn from the pictures with replacement."""
    random = np.random.default_rng(seed)
    n = int(cells.n.sum())
    sets = max(FEWEST_RESAMPLES, min(RESAMPLES, _MOST_DRAWN // max(len(cells.n), cells.classes)))
    return _class_means(cells, random.multinomial(n, cells.n / n, size=sets))


def _class_means(cells: Cells, counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean recall and mean F1 of each row of counts [sets, cells]."""
    truth_n = _summed(counts, cells.truth, cells.classes)
    predicted_n = _summed(counts, cells.predicted, cells.classes)
    hits = _summed(np.where(cells.truth == cells.predicted, counts, 0), cells.truth, cells.classes)
    there = truth_n > 0
    classes = there.sum(axis=1)
    recall = np.where(there, hits / np.maximum(truth_n, 1), 0).sum(axis=1) / classes
    f1 = np.where(there, 2 * hits / np.maximum(truth_n + predicted_n, 1), 0).sum(axis=1) / classes
    return recall, f1


def _summed(counts: NDArray[np.int64], group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Columns of the same group added: int64 [sets, groups]."""
    order = np.argsort(group, kind="stable")
    present, starts = np.unique(group[order], return_index=True)
    whole = np.zeros((len(counts), groups), np.int64)
    whole[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return whole
