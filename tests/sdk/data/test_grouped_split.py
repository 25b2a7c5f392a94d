"""Splits by groups, official splits and splits in files: nothing stands on two sides, and what cannot be is said."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla.data.grouping import Grouping
from orilla.data.split import Split, split_images, split_paths
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import LabelledImages


def _set(
    items: list[tuple[str, int]], classes: tuple[str, ...] = tuple("abcde"), **columns: tuple[str, ...]
) -> LabelledImages:
    ids = np.array([class_id for _, class_id in items], np.int64)
    return LabelledImages(Path("root"), tuple(Path(path) for path, _ in items), ids, classes, columns=columns)


def _parts(split: Split) -> tuple[tuple[str, ...], ...]:
    return split.train, split.validation, split.test


def _check_apart(sides: list[set[str]]) -> None:
    """No two sides have anything in common."""
    assert sum(map(len, sides)) == len(set().union(*sides))


groups = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 2), min_size=1, max_size=4)), min_size=1, max_size=12
)
"""Each group: its main class, and how far the classes of its pictures are from it (most often not at all)."""
shares = st.sampled_from([0.0, 0.1, 0.2, 0.34])


def _items(drawn: list[tuple[int, list[int]]]) -> tuple[list[str], list[int], list[str]]:
    paths, ids, names = [], [], []
    for number, (main, others) in enumerate(drawn):
        for place, other in enumerate(others):
            paths.append(f"{number}/{place}.png")
            ids.append(main if other < 2 else (main + 1) % 4)
            names.append(f"part {number}")
    return paths, ids, names


@settings(max_examples=120, deadline=None)
@given(groups, st.integers(0, 2**32 - 1), shares, shares)
def test_no_group_stands_on_two_sides(
    drawn: list[tuple[int, list[int]]], seed: int, validation: float, test: float
) -> None:
    paths, ids, names = _items(drawn)
    group_of, class_of = dict(zip(paths, names, strict=True)), dict(zip(paths, ids, strict=True))
    holders: dict[int, set[str]] = defaultdict(set)
    for class_id, name in zip(ids, names, strict=True):
        holders[class_id].add(name)
    try:
        split = split_paths(paths, ids, seed, validation=validation, test=test, groups=names)
    except UsageError as error:
        message = str(error)
        assert any(len(held) == 1 for held in holders.values()) or "tie the classes together" in message
        assert validation + test > 0
        return
    assert sorted(path for part in _parts(split) for path in part) == sorted(paths)
    _check_apart([{group_of[path] for path in part} for part in _parts(split)])
    assert {class_of[path] for path in split.train} == set(ids)
    wanted = {class_id for class_id, held in holders.items() if len(held) > 1 and test}
    assert wanted <= {class_of[path] for path in split.test}
    assert bool(split.validation) <= bool(validation)
    assert bool(split.test) <= bool(test)


@settings(max_examples=50, deadline=None)
@given(groups, st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    drawn: list[tuple[int, list[int]]], seed: int, shuffler: random.Random
) -> None:
    items = list(zip(*_items(drawn), strict=True))
    other = list(items)
    shuffler.shuffle(other)
    found = []
    for order in (items, other):
        paths, ids, names = ([item[column] for item in order] for column in range(3))
        try:
            found.append(split_paths(paths, ids, seed, groups=names))
        except UsageError as error:
            found.append(error.message)
    assert found[0] == found[1]


@pytest.mark.parametrize("copies", [1, 3])
def test_classes_keep_their_shares(copies: int) -> None:
    """Each part stands three times, as in a factory; classes are as uneven as they are there."""
    sizes = (279, 34, 30, 25, 17, 9)
    rows = [
        (f"{class_id}/part{number}_{view}.png", class_id, f"{class_id}-{number}")
        for class_id, size in enumerate(sizes)
        for number in range(size)
        for view in range(copies)
    ]
    paths, ids, names = ([row[column] for row in rows] for column in range(3))
    split = split_paths(paths, ids, 0, groups=names)
    for part, share in zip(_parts(split), (0.7, 0.1, 0.2), strict=True):
        found = Counter(int(path[0]) for path in part)
        for class_id, size in enumerate(sizes):
            assert abs(found[class_id] / copies - share * size) <= 1
    assert split != split_paths(paths, ids, 1, groups=names)


def test_many_groups_take_seconds() -> None:
    paths = [str(place) for place in range(20_000)]
    split = split_paths(
        paths, [place % 3 for place in range(20_000)], 0, groups=[str(place // 2) for place in range(20_000)]
    )
    assert [len(part) for part in _parts(split)] == pytest.approx([14_000, 2_000, 4_000], abs=6)
    assert len({int(path) // 2 for path in split.train}) == len(split.train) // 2


def test_groups_of_several_classes_are_stratified_too() -> None:
    drawn = np.random.default_rng(0)
    rows = [
        (f"{board}/{place}.png", int(drawn.choice(3, p=[0.8, 0.15, 0.05])), str(board))
        for board in range(60)
        for place in range(int(drawn.integers(5, 40)))
    ]
    paths, ids, names = ([row[column] for row in rows] for column in range(3))
    split = split_paths(paths, ids, 0, groups=names)
    class_of = dict(zip(paths, ids, strict=True))
    for part, share in zip(_parts(split), (0.7, 0.1, 0.2), strict=True):
        found = Counter(class_of[path] for path in part)
        for class_id, total in Counter(ids).items():
            assert found[class_id] / total == pytest.approx(share, abs=0.01)


def test_a_class_of_one_group_cannot_be_tested() -> None:
    items = [(f"a/{place}.png", 0) for place in range(6)] + [(f"b/{place}.png", 1) for place in range(6)]
    images = _set(items, ("cat", "dog"))
    with pytest.raises(UsageError, match=r"All 6 pictures of cat are one group \(a\)"):
        split_images(images, 0, group="^[^/]+")
    split, _ = split_images(images, 0, group="^[^/]+", validation=0, test=0)
    assert len(split.train) == 12
    with pytest.raises(UsageError, match=r"The groups tie the classes together: . cannot"):
        split_paths([str(i) for i in range(6)], [0, 1, 0, 2, 1, 2], 0, groups=list("aabbcc"), names=["x", "y", "z"])


def test_a_pattern_names_the_groups() -> None:
    images = _set([(f"{'ab'[i % 2]}/exp{i // 4}_num_{i}.jpg", i % 2) for i in range(80)])
    grouping = Grouping.parse(r"exp([0-9]+)_", images)
    assert grouping.groups[:5] == ("0", "0", "0", "0", "1")
    assert grouping.count() == 20
    assert Grouping.parse("^[ab]", images).count() == 2
    split, places = split_images(images, 0, group=r"exp([0-9]+)_")
    _check_apart([{path.split("exp")[1].split("_")[0] for path in part} for part in _parts(split)])
    assert [images.paths[place].as_posix() for place in places.test] == list(split.test)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(", "is no column and no regular expression"),
        ("exp0_", "fits 4 of 80 paths, but not a/exp1_num_4.jpg"),
        ("board", "'board' is no column of root, and as a pattern fits 0 of 80 paths"),
        ("exp(x)?", "fits 0 of 80 paths"),
    ],
)
def test_a_group_that_says_nothing(text: str, words: str) -> None:
    images = _set([(f"{'ab'[i % 2]}/exp{i // 4}_num_{i}.jpg", i % 2) for i in range(80)])
    with pytest.raises(UsageError, match=words) as caught:
        split_images(images, 0, group=text)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_column_names_the_groups() -> None:
    items = [(f"{i}.jpg", i % 2) for i in range(60)]
    serial = tuple(str(i // 6) if i < 48 else "" for i in range(60))
    by_name, _ = split_images(_set(items, serial=serial), 0, group="serial")
    unasked, _ = split_images(_set(items, group=serial), 0)
    assert by_name == unasked
    for part in _parts(by_name):
        assert all(
            len([path for path in part if serial[int(path[:-4])] == name]) in (0, 6) for name in map(str, range(8))
        )
    alone = [{int(path[:-4]) >= 48 for path in part} for part in _parts(by_name)]
    assert any(True in side for side in alone)


def test_an_official_split_is_kept_and_completed() -> None:
    items = [(f"{i:02}.jpg", i % 2) for i in range(60)]
    column = tuple("test" if i < 10 else "Train" for i in range(60))
    split, places = split_images(_set(items, split=column), 0)
    assert split.test == tuple(f"{i:02}.jpg" for i in range(10))
    assert len(split.validation) == 4
    assert split.validation == split_paths([p for p, _ in items[10:]], [c for _, c in items[10:]], 0, test=0).validation
    assert len(places.train) == 46
    whole = tuple(("train", "val", "testing")[min(i // 20, 2)] for i in range(60))
    split, _ = split_images(_set(items, split=whole), 0, validation=0.3, test=0.3)
    assert [len(part) for part in _parts(split)] == [20, 20, 20]
    assert sum(map(len, _parts(split_images(_set(items, split=("train",) * 60), 0)[0])[1:])) == 18


def test_an_official_split_that_is_not_in_order() -> None:
    items = [(f"{i}.jpg", i % 2) for i in range(6)]
    for column, words in (
        (("train", "train", "Tset", "test", "test", "test"), r"root: 2\.jpg has 'Tset' in the column"),
        (("train", "", "test", "test", "test", "test"), r"1\.jpg has ''"),
        (("test",) * 6, "leaves nothing for training"),
    ):
        with pytest.raises(DataError, match=words):
            split_images(_set(items, split=column), 0)
    column = ("train", "train", "train", "train", "test", "test")
    with pytest.raises(DataError, match="the group x stands in train and in test"):
        split_images(_set(items, split=column, group=("x", "y", "y", "z", "x", "w")), 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["train", "validation", "test"]), max_size=12), st.data())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], data: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "split.csv"
    kinds = st.sampled_from(["\u00e4 b.jpg", "a,b.png", 'q"r.png'])
    paths = [f"{place}/{data.draw(kinds)}" for place in range(len(parts))]
    images = _set([(path, 0) for path in paths])
    by_part = {part: [path for path, own in zip(paths, parts, strict=True) if own == part] for part in set(parts)}
    split = Split(*(tuple(sorted(by_part.get(part, ()))) for part in ("train", "validation", "test")))
    split.write(file)
    assert Split.read(file, images) == split
    assert Split.read(file, images).digest() == split.digest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no columns `path` and `split`"),
        ("path,part\n", "has no columns"),
        ("path,split\na.jpg,train\n", "does not name 1 of the 2 pictures, such as b.jpg"),
        ("path,split\na.jpg,train\nb.jpg,test\nc.jpg,test\n", "names 1 pictures that are not in root, such as c.jpg"),
        ("path,split\na.jpg,train\na.jpg,test\n", r"line 3: a\.jpg is named twice"),
        ("path,split\na.jpg,tset\n", r"line 2: a\.jpg is in 'tset'"),
        ("path,split\na.jpg\n", r"line 2: a\.jpg is in None"),
        (b"path,split\n\xff,train\n", "no CSV in UTF-8"),
        ('path,split\n"a.jpg,train\n', "no CSV in UTF-8|is in None"),
    ],
)
def test_a_file_that_is_not_in_order(tmp_path: Path, text: str | bytes, words: str) -> None:
    file = tmp_path / "split.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=words) as caught:
        Split.read(file, _set([("a.jpg", 0), ("b.jpg", 1)]))
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        Split.read(tmp_path / "gone.csv", _set([]))
