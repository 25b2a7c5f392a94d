"""What training says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orilla_converters.progress import Note

__all__ = ["Advance", "EpochEnd", "Event", "Note", "Phase", "Progress", "silent"]


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
class EpochEnd:
    """One epoch of `phase`, counted from 1; accuracies are fractions of 1, losses cross-entropies in nats."""

    phase: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


Event = Phase | Advance | EpochEnd | Note

Progress = Callable[[Event], None]
"""Takes events as they happen; called from the thread that trains."""


def silent(_event: Event) -> None:
    """The progress that nobody looks at."""
