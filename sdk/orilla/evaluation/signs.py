"""What the curves of a training say, in words: overfitting, underfitting, an end that came too soon, unrest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orilla.evaluation.intervals import percent

GAP = 0.10
RISE = 0.15
LEAST_RISE = 0.02
"""In nats a picture. Where nearly all are right, a loss of 0.011 that becomes 0.013 is chance, though it is 15 %."""
UNREST = 0.05
LOW = 0.85
FEWEST_EPOCHS = 4
KEYS = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, slots=True)
class Sign:
    """One finding. `name`: gap, rising loss, early best, still learning, underfitting or unstable."""

    name: str
    text: str


def readable_history(training: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The recorded epochs that have all their figures, in their order; empty where none was recorded."""
    history = training.get("history")
    if not isinstance(history, list):
        return ()
    return tuple(
        epoch
        for epoch in history
        if isinstance(epoch, dict) and all(isinstance(epoch.get(key), int | float) for key in KEYS)
    )


def place_of(best: object, history: Sequence[Mapping[str, Any]]) -> int | None:
    """The place in `history` of the epoch that was kept, as a training records it; None where it says nothing."""
    if not isinstance(best, Mapping):
        return None
    wanted = (best.get("phase"), best.get("epoch"))
    return next((place for place, one in enumerate(history) if (one.get("phase"), one.get("epoch")) == wanted), None)


def training_signs(history: Sequence[Mapping[str, Any]], best: object = None) -> tuple[Sign, ...]:
    """What the phase of a training shows whose weights were kept; empty where there is nothing, or too little to tell.

    `best` is the epoch that was kept, as the training records it; without it, the best one of the last phase.

    Accuracies of training are taken while weights and pictures still change (dropout, augmentation), so they are lower
    than the net deserves: a gap that shows all the same is real.
    """
    place = place_of(best, history)
    phase = history[-1 if place is None else place].get("phase") if history else None
    last = [epoch for epoch in history if epoch.get("phase") == phase]
    if len(last) < FEWEST_EPOCHS:
        return ()
    kept = _best(last) if place is None else last.index(history[place])
    found = (
        _gap(last, kept),
        _rising_loss(last),
        _early_best(last, kept),
        _underfitting(last, kept),
        _still_learning(last, kept),
        _unrest(last),
    )
    return tuple(sign for sign in found if sign is not None)


def _best(last: Sequence[Mapping[str, Any]]) -> int:
    """The place of the best epoch in validation (of weighed classes on their mean), then in loss."""
    return max(range(len(last)), key=lambda place: (_chosen_by(last[place]), -last[place]["val_loss"]))


def _chosen_by(epoch: Mapping[str, Any]) -> float:
    balanced = epoch.get("val_balanced")
    return float(balanced if isinstance(balanced, int | float) else epoch["val_accuracy"])


def _gap(last: Sequence[Mapping[str, Any]], kept: int) -> Sign | None:
    epoch = last[kept]
    gap = epoch["accuracy"] - epoch["val_accuracy"]
    if gap <= GAP:
        return None
    return Sign(
        "gap",
        f"Overfitting: in the epoch that was kept, {percent(epoch['accuracy'])} of the training pictures are right and "
        f"{percent(epoch['val_accuracy'])} of the validation's, {gap * 100:.0f} points less. The net knows its "
        "training pictures by heart. More pictures help most, then augmentation, dropout, weight decay, or a smaller "
        "net.",
    )


def _rising_loss(last: Sequence[Mapping[str, Any]]) -> Sign | None:
    losses = [epoch["val_loss"] for epoch in last]
    lowest = min(range(len(losses)), key=losses.__getitem__)
    risen = losses[-1] - losses[lowest] > max(losses[lowest] * RISE, LEAST_RISE) and len(losses) - lowest > 2
    if not risen or last[-1]["loss"] >= last[lowest]["loss"]:
        return None
    return Sign(
        "rising loss",
        f"Overfitting: the validation's loss is lowest in epoch {lowest + 1} ({losses[lowest]:.3f}) and rises to "
        f"{losses[-1]:.3f}, while the training's still falls. Later epochs make the net surer, not better: fewer "
        "epochs, more augmentation or label smoothing.",
    )


def _early_best(last: Sequence[Mapping[str, Any]], kept: int) -> Sign | None:
    best = kept + 1
    if len(last) < 6 or best > len(last) / 3:
        return None
    return Sign(
        "early best",
        f"The best epoch is {best} of {len(last)}: all later ones were no better. A lower learning rate or more "
        "augmentation may use them.",
    )


def _underfitting(last: Sequence[Mapping[str, Any]], kept: int) -> Sign | None:
    epoch = last[kept]
    if epoch["accuracy"] >= LOW or epoch["accuracy"] - epoch["val_accuracy"] > GAP / 2:
        return None
    return Sign(
        "underfitting",
        f"Underfitting: only {percent(epoch['accuracy'])} of the training pictures themselves are right. More epochs, "
        "a larger net or pictures, a higher learning rate or less augmentation; or the labels contradict each other.",
    )


def _still_learning(last: Sequence[Mapping[str, Any]], kept: int) -> Sign | None:
    gained = last[-1]["val_accuracy"] - last[-1 - len(last) // 4]["val_accuracy"]
    if kept != len(last) - 1 or gained < 0.01:
        return None
    return Sign(
        "still learning",
        f"The last epoch is the best one, and the last quarter of them gained {gained * 100:.1f} points: training "
        "ended while it still got better. Give it more epochs.",
    )


def _unrest(last: Sequence[Mapping[str, Any]]) -> Sign | None:
    late = [epoch["val_accuracy"] for epoch in last[len(last) // 2 :]]
    steps = [abs(one - other) for one, other in zip(late[1:], late, strict=False)]
    if not steps or sum(steps) / len(steps) <= UNREST:
        return None
    return Sign(
        "unstable",
        f"Unstable: from one epoch to the next the validation changes by {sum(steps) / len(steps) * 100:.0f} points on "
        "average, even late. A lower learning rate, a larger batch, or more pictures for validation.",
    )
