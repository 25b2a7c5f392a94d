"""The signs of over- and underfitting, each by the curves that show it and by no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orilla.evaluation.signs import readable_history, training_signs


def epochs(
    accuracy: Sequence[float], val_accuracy: Sequence[float], loss: Sequence[float], val_loss: Sequence[float]
) -> list[dict[str, Any]]:
    rows = zip(accuracy, val_accuracy, loss, val_loss, strict=True)
    return [
        {"phase": "train", "epoch": place + 1, "accuracy": a, "val_accuracy": v, "loss": one, "val_loss": other}
        for place, (a, v, one, other) in enumerate(rows)
    ]


def names(history: list[dict[str, Any]]) -> set[str]:
    return {sign.name for sign in training_signs(history)}


STEPS = [index / 9 for index in range(10)]
FALLING = [1 - 0.9 * step for step in STEPS]
GOOD = [0.5, 0.8, 0.9, 0.95, 0.96, 0.97, 0.97, 0.975, 0.97, 0.974]


def test_a_good_training_shows_nothing() -> None:
    assert names(epochs(GOOD, GOOD, FALLING, FALLING)) == set()


def test_learning_by_heart() -> None:
    val = [min(value, 0.8) + index / 1000 * (index < 8) for index, value in enumerate(GOOD)]
    assert names(epochs(GOOD, val, FALLING, FALLING)) == {"gap"}
    (sign,) = training_signs(epochs(GOOD, val, FALLING, FALLING))
    assert "17 points less" in sign.text


def test_a_validation_loss_that_rises() -> None:
    rising = [0.6, 0.4, 0.3, 0.25, 0.24, 0.26, 0.3, 0.33, 0.36, 0.4]
    assert names(epochs(GOOD, GOOD, FALLING, rising)) == {"rising loss"}
    assert names(epochs(GOOD, GOOD, rising, rising)) == set(), "both losses rise: that is no overfitting"
    wavering = [0.2, 0.1, 0.05, 0.02, 0.014, 0.011, 0.012, 0.016, 0.012, 0.013]
    assert names(epochs(GOOD, GOOD, FALLING, wavering)) == set(), "next to nothing is left to rise from"


def test_an_early_best_epoch() -> None:
    val = [0.9, 0.95, 0.94, 0.94, 0.93, 0.94, 0.94, 0.94, 0.93, 0.94]
    train = [0.9 + index / 200 for index in range(10)]
    assert names(epochs(train, val, FALLING, FALLING)) == {"early best"}


def test_the_kept_epoch_is_the_one_that_training_chose() -> None:
    history = epochs(GOOD, GOOD, FALLING, FALLING)
    weighed = [{**one, "val_balanced": 0.9 if one["epoch"] == 3 else 0.5} for one in history]
    assert names(weighed) == {"early best"}


def test_the_recorded_epoch_comes_before_any_other() -> None:
    """Training keeps the smallest loss of the epochs that may be as good, not the one with the highest figure."""
    history = epochs([0.5, 0.97, *GOOD[2:]], [0.5, 0.79, *GOOD[2:]], FALLING, FALLING)
    assert training_signs(history) == ()
    (first, second) = training_signs(history, {"phase": "train", "epoch": 2})
    assert (first.name, second.name) == ("gap", "early best")
    assert "18 points less" in first.text
    assert "The best epoch is 2 of 10" in second.text


def test_the_phase_that_was_kept_counts() -> None:
    head = [{**one, "phase": "head"} for one in epochs(GOOD, GOOD, FALLING, FALLING)]
    tuned = [{**one, "phase": "fine-tune"} for one in epochs(GOOD, [0.5] * 10, FALLING, FALLING)]
    assert {sign.name for sign in training_signs(head + tuned)} == {"gap"}
    assert training_signs(head + tuned, {"phase": "head", "epoch": 10}) == ()


def test_underfitting_and_an_end_too_soon() -> None:
    slow = [0.2 + 0.05 * index for index in range(10)]
    assert names(epochs(slow, slow, FALLING, FALLING)) == {"underfitting", "still learning"}


def test_unrest() -> None:
    val = [0.5, 0.8, 0.9, 0.95, 0.97, 0.8, 0.96, 0.7, 0.95, 0.85]
    assert "unstable" in names(epochs(GOOD, val, FALLING, FALLING))


def test_only_the_last_phase_counts_and_few_epochs_say_nothing() -> None:
    head = [{**one, "phase": "head"} for one in epochs([0.2] * 8, [0.2] * 8, FALLING[:8], FALLING[:8])]
    assert names(head + epochs(GOOD, GOOD, FALLING, FALLING)) == set()
    assert names(head + epochs([0.3] * 3, [0.3] * 3, [1.0] * 3, [1.0] * 3)) == set()
    assert training_signs([]) == ()


@pytest.mark.parametrize("history", [None, "text", [1, 2], [{"loss": 1.0}], [{"loss": None, "accuracy": "x"}]])
def test_a_history_that_is_none(history: object) -> None:
    assert readable_history({"history": history}) == ()
