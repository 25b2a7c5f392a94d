"""What a top-1 does not show: ties behind the first place, and decisions that flip at a threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import UsageError

PLACES = 5
WORST, BEST = 5, 3
"""How many of the worst pictures are kept, and how many classes of each."""
THRESHOLDS = (0.5, 0.7, 0.9)
"""At which decisions are compared unless the caller names more."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Flips:
    """Pictures whose decision another is at one threshold; a class is accepted where its score reaches it.

    accepted: by Keras, of `n`. lost: accepted by Keras, not by the artifact. gained: the other way. changed: accepted
    by both, as different classes.
    """

    threshold: float
    n: int
    accepted: int
    lost: int
    gained: int
    changed: int

    @property
    def total(self) -> int:
        """Pictures with another decision."""
        return self.lost + self.gained + self.changed


@dataclass(frozen=True, slots=True)
class Worst:
    """One of the pictures with the largest errors: its index, the error, and both sides' best classes with scores."""

    index: int
    error: float
    keras: tuple[tuple[int, float], ...]
    artifact: tuple[tuple[int, float], ...]


def worst_pictures(keras: Scores, found: Scores) -> tuple[Worst, ...]:
    """The pictures with the largest absolute errors, worst first."""
    errors = np.abs(keras.astype(np.float64) - found).max(axis=1)
    order = np.argsort(-errors, kind="stable")[:WORST]
    return tuple(Worst(int(i), _rounded(errors[i]), _best(keras[i]), _best(found[i])) for i in order)


def _best(scores: NDArray[np.float32]) -> tuple[tuple[int, float], ...]:
    order = np.argsort(-scores, kind="stable")[:BEST]
    return tuple((int(class_id), _rounded(scores[class_id])) for class_id in order)


def _rounded(value: float) -> float:
    """Six decimals: what comes behind says nothing to anybody."""
    return round(float(value), 6)


def flips(keras: Scores, found: Scores, thresholds: Iterable[float]) -> tuple[Flips, ...]:
    """Compare decisions of float32 [n, classes] scores at each threshold, lowest first."""
    return tuple(_flips(keras, found, threshold) for threshold in sorted(set(thresholds)))


def _flips(keras: Scores, found: Scores, threshold: float) -> Flips:
    theirs, ours = keras.max(axis=1) >= threshold, found.max(axis=1) >= threshold
    other = keras.argmax(axis=1) != found.argmax(axis=1)
    return Flips(
        threshold=threshold,
        n=len(keras),
        accepted=int(theirs.sum()),
        lost=int((theirs & ~ours).sum()),
        gained=int((ours & ~theirs).sum()),
        changed=int((theirs & ours & other).sum()),
    )


def checked_thresholds(more: Sequence[float]) -> tuple[float, ...]:
    """The usual thresholds and the caller's, in order.

    Raises:
        UsageError: one of them is no score.
    """
    for threshold in more:
        if not 0 < threshold <= 1:
            raise UsageError(f"{threshold} is no threshold.", "Scores are above 0 and at most 1.")
    return tuple(sorted({*THRESHOLDS, *more}))


def untied(scores: Scores) -> float:
    """The share of pictures whose places 1 to 5 hold five different scores (fewer where there are fewer classes)."""
    places = min(PLACES, scores.shape[1])
    best = -np.sort(-scores, axis=1)[:, :places]
    return float((np.diff(best, axis=1) != 0).all(axis=1).mean())
