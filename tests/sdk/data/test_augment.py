"""Augmentation: every change does what it says, and a picture's fate hangs on seed, epoch and place alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.data.augment import GREY, Augment
from orilla.models.recipe import Augmentation

COUNT = 300
EVERYTHING = Augmentation(flip=True, shift=0.2, rotation=20, zoom=0.3, brightness=0.2, contrast=0.3, erase=0.25)


def noise(count: int, shape: tuple[int, ...] = (8, 6, 1)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def changed(batch: NDArray[np.uint8], *, epoch: int = 0, **how: Any) -> NDArray[np.uint8]:
    return Augment(3, Augmentation(**how), COUNT)(batch, np.arange(len(batch)), epoch)


def test_a_shift_moves_by_whole_pixels_and_repeats_the_edge() -> None:
    batch, seen = noise(60), set()
    for before, after in zip(batch[..., 0], changed(batch, shift=0.25)[..., 0], strict=True):
        padded = np.pad(before, 2, mode="edge")
        places = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(after, padded[top : top + 8, left : left + 6])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 12


def test_half_of_the_pictures_are_mirrored_and_nothing_else_happens() -> None:
    batch = noise(COUNT)
    after = changed(batch, flip=True)
    mirrored = (after == batch[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (after == batch).all(axis=(1, 2, 3))).all()
    assert 0.4 < mirrored.mean() < 0.6


@pytest.mark.parametrize("how", [{"rotation": 180.0}, {"zoom": 0.9}, {"shift": 0.5, "rotation": 45.0, "zoom": 0.5}])
def test_the_border_is_repeated(how: dict[str, float]) -> None:
    even = np.full((40, 9, 9, 3), 77, np.uint8)
    np.testing.assert_array_equal(changed(even, **how), even)


def test_a_turn_keeps_the_middle_and_moves_the_rest() -> None:
    batch = np.zeros((50, 33, 33, 1), np.uint8)
    batch[:, 14:19, :17] = 200  # a bar from the middle to the left
    after = changed(batch, rotation=30)[..., 0]
    rows, columns = np.nonzero(after[0] > 100)
    angles = []
    for picture in after:
        rows, columns = np.nonzero(picture[:, :12] > 100)
        angles.append(np.degrees(np.arctan2(rows.mean() - 16, 16 - columns.mean())))
    assert max(np.abs(angles)) <= 30.5
    assert np.std(angles) > 10
    assert (after[:, 16, 15] > 100).all()


def test_zoom_makes_things_larger_and_smaller() -> None:
    batch = np.zeros((80, 32, 32, 1), np.uint8)
    batch[:, 12:20, 12:20] = 200
    areas = (changed(batch, zoom=0.5) > 100).sum(axis=(1, 2, 3)) / 64
    assert 0.35 < areas.min() < 0.6
    assert 1.8 < areas.max() < 2.5


def test_brightness_adds_and_contrast_stretches() -> None:
    even = np.full((COUNT, 4, 4, 3), 100, np.uint8)
    levels = changed(even, brightness=0.2)[:, 0, 0, 0].astype(int)
    assert levels.min() in range(49, 56)
    assert levels.max() in range(145, 152)
    np.testing.assert_array_equal(changed(even, contrast=0.5), even)
    batch = np.concatenate([np.full((COUNT, 4, 2, 1), 90, np.uint8), np.full((COUNT, 4, 2, 1), 110, np.uint8)], axis=2)
    spread = np.ptp(changed(batch, contrast=0.5).astype(int), axis=(1, 2, 3))
    assert spread.min() in range(9, 13)
    assert spread.max() in range(28, 32)


def test_a_square_of_grey_is_put_anywhere() -> None:
    batch = np.zeros((COUNT, 16, 16, 1), np.uint8)
    after = changed(batch, erase=0.25)
    assert ((after == GREY).sum(axis=(1, 2, 3)) == 16).all()
    places = {tuple(np.argwhere(picture[..., 0])[0]) for picture in after}
    assert len(places) > 100
    assert {min(place) for place in places} >= {0}
    assert max(place[0] for place in places) == 12


@pytest.mark.parametrize("shape", [(12, 12, 3), (12, 12, 1), (9, 14, 3)])
def test_a_change_hangs_on_seed_epoch_and_place_alone(shape: tuple[int, ...]) -> None:
    batch, places = noise(4, shape), np.array([1, 250, 8, 3])
    change = Augment(5, EVERYTHING, COUNT)
    together = change(batch, places, 2)
    assert together.shape == batch.shape
    for row in range(4):
        alone = change(batch[row : row + 1], places[row : row + 1], 2)[0]
        np.testing.assert_array_equal(alone, together[row])
    np.testing.assert_array_equal(Augment(5, EVERYTHING, COUNT)(batch, places, 2), together)
    assert not np.array_equal(change(batch, places, 3), together)
    assert not np.array_equal(Augment(6, EVERYTHING, COUNT)(batch, places, 2), together)


def test_the_pictures_that_came_in_stay_as_they_are() -> None:
    batch = noise(20, (8, 8, 3))
    before = batch.copy()
    Augment(5, EVERYTHING, COUNT)(batch, np.arange(20), 0)
    np.testing.assert_array_equal(batch, before)
