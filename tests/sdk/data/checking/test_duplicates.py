"""The search for look-alikes finds what comparing every pair would find."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.data.checking.duplicates import alike_groups, equal_groups


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 7))
def test_what_differs_in_up_to_seven_bits_is_found(seed: int, distance: int) -> None:
    drawn = np.random.default_rng(seed)
    hashes = drawn.integers(0, 2**63, 200, np.uint64)
    sketches = drawn.integers(0, 256, (200, 256), np.uint8)
    flipped = np.bitwise_or.reduce(np.uint64(1) << drawn.choice(64, distance, replace=False).astype(np.uint64))
    hashes[17], sketches[17] = hashes[130] ^ np.uint64(flipped), sketches[130]
    assert [group.tolist() for group in alike_groups(hashes, sketches, np.arange(200))] == [[17, 130]]
    assert alike_groups(hashes, sketches, np.flatnonzero(np.arange(200) != 17)) == []


def test_equal_hashes_of_unlike_sketches_are_told_apart() -> None:
    sketches = np.random.default_rng(0).integers(0, 256, (500, 256), np.uint8)
    sketches[400] = sketches[3]
    groups = alike_groups(np.full(500, 12345, np.uint64), sketches, np.arange(5))
    assert groups == []
    chosen = np.array([3, 20, 400])
    groups = alike_groups(np.full(500, 12345, np.uint64), sketches, chosen)
    assert [group.tolist() for group in groups] == [[3, 400]]


def test_a_chain_is_one_group_and_many_copies_are_one_too() -> None:
    sketch = np.random.default_rng(0).integers(0, 256, 256).astype(np.uint8)
    hashes = np.array([0, 0b111111, 0b111111_111111, 2**63], np.uint64)
    groups = alike_groups(hashes, np.tile(sketch, (4, 1)), np.arange(4))
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3]]
    groups = alike_groups(np.zeros(3000, np.uint64), np.tile(sketch, (3000, 1)), np.arange(3000))
    assert [len(group) for group in groups] == [3000]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=60))
def test_equal_digests_are_grouped(values: list[int]) -> None:
    digests = np.array([[value, value * 7] for value in values], np.uint64).reshape(-1, 2)
    expected = [[i for i, each in enumerate(values) if each == value] for value in dict.fromkeys(values)]
    found = [group.tolist() for group in equal_groups(digests, np.arange(len(values)))]
    assert found == [group for group in expected if len(group) > 1]
