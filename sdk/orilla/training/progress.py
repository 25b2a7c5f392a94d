"""What training says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orilla_converters.progress import Note

__all__ = ["Advance", "EpochEnd", "Event", "Note", "Phase", "Progress", "Steps", "silent"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the work begins.

    `name` is one of `read`, `train`, `features`, `head`, `fine-tune`, `test`; `detail` is for people. `total` is how
    many pictures (`read`, `features`, `test`) or epochs (the others) are to come.
    """

    name: str
    detail: str
    total: int


@dataclass(frozen=True, slots=True)
class Advance:
    """`done` pictures of the phase are behind us."""

    done: int


@dataclass(frozen=True, slots=True)
class Steps:
    """`done` of the `total` batches of epoch `epoch` (counted from 1) are behind us; a few times a second at most.

    loss, accuracy: means over this epoch so far, of the loss that is trained on.
    """

    epoch: int
    done: int
    total: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """One epoch of `phase`, counted from 1; accuracies are fractions of 1, losses cross-entropies in nats.

    The losses are plain cross-entropies whatever was trained on, so that they can be compared. val_balanced: the mean
    of the classes' accuracies in validation, where classes are weighed; it then chooses the best epoch.
    """

    phase: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float
    val_balanced: float | None = None


Event = Phase | Advance | Steps | EpochEnd | Note

Progress = Callable[[Event], None]
"""Takes events as they happen; called from the thread that trains."""


def silent(_event: Event) -> None:
    """The progress that nobody looks at."""
