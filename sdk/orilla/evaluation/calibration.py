"""Whether a score means what it says: of the pictures with 0.8, are 80 % right?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
_TINY = 1e-12
"""The least probability whose logarithm is taken: an artifact of whole numbers may well say 0."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The pictures whose best score is in (low, high]; `score` and `right` are their means, None without a picture."""

    low: float
    high: float
    n: int
    score: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far scores are from frequencies.

    ece: expected calibration error, 0 to 1: the mean distance of `score` and `right` over bins of equal width (Naeini
    et al. 2015; Guo et al. 2017). overconfidence: mean best score less the share that is right, -1 to 1. brier: mean
    squared distance of the scores from the truth, summed over classes, 0 to 2 (Brier 1950). nll: mean negative
    logarithm of the true class's score, in nats.
    """

    ece: float
    overconfidence: float
    brier: float
    nll: float
    bins: tuple[Bin, ...]


def calibration(scores: NDArray[Any], truth: NDArray[np.integer], *, bins: int = BINS) -> Calibration:
    """How well probabilities [n, classes] are calibrated for the true classes int [n], n ≥ 1."""
    best = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == truth
    of_truth = scores[np.arange(len(truth)), truth].astype(np.float64)
    brier = np.einsum("nc,nc->n", scores, scores, dtype=np.float64) - 2 * of_truth + 1
    found = _bins(best, right, bins)
    return Calibration(
        ece=_error(found, len(best)),
        overconfidence=float(best.mean() - right.mean()),
        brier=float(max(brier.mean(), 0.0)),
        nll=float(-np.log(np.maximum(of_truth, _TINY)).mean()),
        bins=found,
    )


def calibration_error(best: NDArray[np.floating], right: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """The expected calibration error of the best scores [n], 0 to 1, and whether each picture was right [n]; n ≥ 1."""
    return _error(_bins(np.asarray(best, np.float64), right, bins), len(best))


def _bins(best: NDArray[np.float64], right: NDArray[np.bool_], count: int) -> tuple[Bin, ...]:
    place = np.clip(np.ceil(best * count).astype(np.int64) - 1, 0, count - 1)
    members = np.bincount(place, minlength=count)
    scores = np.bincount(place, best, count)
    rights = np.bincount(place, right, count)
    return tuple(
        Bin(index / count, (index + 1) / count, n, float(score) / n if n else None, float(hit) / n if n else None)
        for index, (n, score, hit) in enumerate(zip(members.tolist(), scores, rights, strict=True))
    )


def _error(bins: tuple[Bin, ...], n: int) -> float:
    distances = (b.n * abs(b.score - b.right) for b in bins if b.score is not None and b.right is not None)
    return min(sum(distances) / n, 1.0)
