"""Where a phase of training stands, and what it came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orilla.training.progress import EpochEnd


@dataclass(frozen=True, slots=True)
class Fitted:
    """What happened in a phase; the model holds the weights of `best`."""

    history: tuple[EpochEnd, ...]
    best: EpochEnd


@dataclass(frozen=True, slots=True)
class Standing:
    """A phase after `epoch` whole epochs and `step` batches of the next.

    best: of the history so far; None before the first epoch's end. cut_at: the epoch after which the rate was last cut
    (`plateau`). spent: seconds of the epoch that is not whole. ended: nothing is to come.
    """

    phase: str
    epoch: int = 0
    step: int = 0
    history: tuple[EpochEnd, ...] = ()
    best: EpochEnd | None = None
    cut_at: int = 0
    spent: float = 0.0
    ended: bool = False


def better(one: EpochEnd, other: EpochEnd) -> bool:
    """True where `one` is the better epoch: more pictures right in validation, then the smaller loss.

    Where classes are weighed, the mean of their accuracies counts in place of the pictures.
    """
    return (_worth(one), -one.val_loss) > (_worth(other), -other.val_loss)


def best_after(history: Sequence[EpochEnd], best: EpochEnd | None, end: EpochEnd, pictures: int) -> EpochEnd:
    """The best epoch when `end` follows on `history`, of which `best` was the best; validation has so many pictures.

    Of the epochs whose accuracy lies within one standard error of the highest, the one with the smallest loss: on a few
    hundred pictures an epoch at a high rate is now and then right on two more by luck, and is worse on all others (the
    rule of one standard error: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984). One
    picture never decides, also where all were right and the error would be none.
    """
    highest = max(_worth(each) for each in (*history, end))
    least = highest - max(math.sqrt(highest * (1 - highest) / pictures), 1.01 / pictures)
    if best is None or _worth(best) < least:
        return end
    return end if _worth(end) >= least and end.val_loss < best.val_loss else best


def _worth(end: EpochEnd) -> float:
    return end.val_accuracy if end.val_balanced is None else end.val_balanced
