"""Where a phase of training stands, and what it came to."""

from __future__ import annotations

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
    return _worth(one) > _worth(other)


def _worth(end: EpochEnd) -> tuple[float, float]:
    return (end.val_accuracy if end.val_balanced is None else end.val_balanced), -end.val_loss
