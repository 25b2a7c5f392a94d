"""Batches: every epoch has every picture once, in an order of its own that only seed and epoch decide."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orilla.data.feed import Feed, epoch_order

PLACES = np.array([2, 3, 5, 7, 11, 13, 17])
CLASS_IDS = np.arange(20) % 3


class Numbered:
    """Each example shows its own place."""

    shape = (2, 2, 1)

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        return np.broadcast_to(places[:, None, None, None], (len(places), 2, 2, 1)).astype(np.uint8)


def _epochs(feed: Feed, seed: int, epochs: int, first_epoch: int = 0) -> list[list[int]]:
    batches = itertools.islice(feed.training(seed, first_epoch=first_epoch), epochs * feed.steps)
    shown = [batch.numpy()[:, 0, 0, 0].astype(int).tolist() for batch, _ in batches]
    return [list(itertools.chain(*shown[start : start + feed.steps])) for start in range(0, len(shown), feed.steps)]


@pytest.fixture
def feed() -> Feed:
    return Feed(Numbered(), CLASS_IDS, PLACES, batch_size=3)


def test_every_epoch_has_every_picture_in_another_order(feed: Feed) -> None:
    epochs = _epochs(feed, seed=1, epochs=3)
    assert all(sorted(epoch) == sorted(PLACES) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_is_a_function_of_seed_and_epoch(feed: Feed) -> None:
    assert _epochs(feed, seed=1, epochs=3)[2:] == _epochs(feed, seed=1, epochs=1, first_epoch=2)
    assert _epochs(feed, seed=1, epochs=1) != _epochs(feed, seed=2, epochs=1)


def test_one_pass_is_in_order_with_its_classes(feed: Feed) -> None:
    for _ in range(2):  # a validation set is passed once an epoch
        pairs = list(feed.in_order())
        assert np.concatenate([x.numpy()[:, 0, 0, 0] for x, _ in pairs]).tolist() == PLACES.tolist()
        assert np.concatenate([y.numpy() for _, y in pairs]).tolist() == CLASS_IDS[PLACES].tolist()


@given(st.integers(0, 2**32 - 1), st.integers(0, 10_000))
def test_an_order_is_a_permutation(seed: int, epoch: int) -> None:
    assert sorted(epoch_order(PLACES, seed, epoch)) == sorted(PLACES)
