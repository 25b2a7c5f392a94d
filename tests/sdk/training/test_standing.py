"""Which epoch is the best: luck on a few pictures is not, and neither is a small loss with more mistakes."""

from __future__ import annotations

from orilla.training.progress import EpochEnd
from orilla.training.standing import best_after


def ends(*figures: tuple[float, float]) -> list[EpochEnd]:
    """An epoch for each pair of validation's accuracy and loss."""
    return [
        EpochEnd("train", epoch, len(figures), 0.1, 0.9, loss, accuracy, 1e-3, 1.0)
        for epoch, (accuracy, loss) in enumerate(figures, 1)
    ]


def kept(pictures: int, *figures: tuple[float, float]) -> int:
    """The epoch that is kept at the end."""
    best, history = None, ends(*figures)
    for place, end in enumerate(history):
        best = best_after(history[:place], best, end, pictures)
    assert best is not None
    return best.epoch


def test_one_lucky_picture_does_not_make_the_best_epoch() -> None:
    assert kept(180, (0.95, 0.2), (1.0, 0.08), (179 / 180, 0.02), (179 / 180, 0.03)) == 3


def test_many_pictures_say_it_however_large_the_loss() -> None:
    assert kept(2000, (0.95, 0.2), (0.97, 0.3), (0.96, 0.1)) == 2


def test_a_higher_accuracy_than_all_takes_over_from_one_that_it_leaves_behind() -> None:
    assert kept(2000, (0.90, 0.1), (0.95, 0.3)) == 2
    assert kept(2000, (0.949, 0.1), (0.95, 0.3)) == 1


def test_with_equal_losses_the_first_epoch_is_kept() -> None:
    assert kept(100, (0.9, 0.2), (0.9, 0.2)) == 1


def test_weighed_classes_are_compared_by_the_mean_of_their_accuracies() -> None:
    (whole,) = ends((0.99, 0.1))
    balanced = EpochEnd("train", 2, 2, 0.1, 0.9, 0.2, 0.9, 1e-3, 1.0, val_balanced=0.8)
    unbalanced = EpochEnd("train", 1, 2, 0.1, 0.9, 0.1, 0.99, 1e-3, 1.0, val_balanced=0.5)
    assert best_after([unbalanced], unbalanced, balanced, 1000) is balanced
    assert best_after([], None, whole, 10) is whole
