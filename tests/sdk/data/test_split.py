"""The split: disjoint, complete, stratified, and the same whatever the order of the list."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.data.split import split_images, split_paths
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

pictures = st.lists(st.tuples(st.text(min_size=1, max_size=12), st.integers(0, 4)), unique_by=lambda item: item[0])
shares = st.floats(0, 0.45)


@settings(deadline=None)
@given(pictures, st.integers(0, 2**32 - 1), shares, shares)
def test_every_picture_stands_in_exactly_one_part(
    items: list[tuple[str, int]], seed: int, validation: float, test: float
) -> None:
    paths, ids = [path for path, _ in items], [class_id for _, class_id in items]
    split = split_paths(paths, ids, seed, validation=validation, test=test)
    parts = [*split.train, *split.validation, *split.test]
    assert sorted(parts) == sorted(paths)
    assert {class_id for path, class_id in items if path in split.train} == set(ids)


@settings(deadline=None)
@given(pictures, st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    items: list[tuple[str, int]], seed: int, shuffler: random.Random
) -> None:
    other = list(items)
    shuffler.shuffle(other)
    one = split_paths([p for p, _ in items], [c for _, c in items], seed)
    two = split_paths([p for p, _ in other], [c for _, c in other], seed)
    assert one == two
    assert one.digest() == two.digest()


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), shares, shares)
def test_every_class_is_split_by_the_shares(sizes: list[int], validation: float, test: float) -> None:
    items = [(f"{class_id}/{i}", class_id) for class_id, size in enumerate(sizes) for i in range(size)]
    split = split_paths([p for p, _ in items], [c for _, c in items], 0, validation=validation, test=test)
    for class_id, size in enumerate(sizes):
        counts = [sum(p.startswith(f"{class_id}/") for p in part) for part in (split.validation, split.test)]
        assert abs(counts[0] - size * validation) <= 1
        assert abs(counts[1] - size * test) <= 1


def test_small_classes_keep_a_picture_in_train() -> None:
    paths = ["a/0", *(f"b/{i}" for i in range(2)), *(f"c/{i}" for i in range(3))]
    split = split_paths(paths, [0, 1, 1, 2, 2, 2], 0)
    classes = [sorted(path[0] for path in part) for part in (split.train, split.validation, split.test)]
    assert classes == [["a", "b", "c"], ["c"], ["b", "c"]]


def test_another_seed_gives_another_split_and_another_class_does_not() -> None:
    paths = [f"a/{i}" for i in range(50)]
    one = split_paths(paths, [0] * 50, 0)
    assert one != split_paths(paths, [0] * 50, 1)
    more = split_paths([*paths, *(f"b/{i}" for i in range(30))], [0] * 50 + [1] * 30, 0)
    assert tuple(path for path in more.test if path.startswith("a")) == one.test


def test_images_are_split_by_their_places() -> None:
    paths = tuple(Path(f"{'ab'[i % 2]}/{i}.png") for i in range(20))
    images = LabelledImages(Path("root"), paths, np.arange(20) % 2, ("a", "b"))
    split, places = split_images(images, 3)
    assert [paths[place].as_posix() for place in places.test] == list(split.test)
    assert sorted(np.concatenate([places.train, places.validation, places.test])) == list(range(20))


def test_the_split_of_a_set_stays_what_it_always_was() -> None:
    paths = [f"{'ab'[place % 2]}/{place}.png" for place in range(40)]
    split = split_paths(paths, [place % 2 for place in range(40)], 3)
    assert split.digest() == "9a393d91ab55a78de325c4f5082ff4eb2580790c427a69623f77746e0f707b45"


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (-0.1, 0.2), (0.1, 1.0)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(UsageError):
        split_paths(["a"], [0], 0, validation=validation, test=test)
