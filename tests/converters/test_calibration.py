"""The pictures that calibrate and those that judge are never the same, and the test split calibrates nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_converters.calibration import select, stratified
from orilla_converters.tensor_file import write_tensors
from orilla_runtime.errors import DataError
from orilla_runtime.labelled.images import LabelledImages


def images(count: int, classes: int | None = 3) -> LabelledImages:
    ids = None if classes is None else np.arange(count, dtype=np.int64) % classes
    names = None if classes is None else tuple("abcdefghij"[:classes])
    return LabelledImages(Path("photos"), tuple(Path(f"{number:04}.png") for number in range(count)), ids, names)


def split_of(count: int, data: LabelledImages) -> dict[str, list[str]]:
    paths = [path.as_posix() for path in data.paths[:count]]
    return {"train": paths[::3], "validation": paths[1::3], "test": paths[2::3]}


@given(count=st.integers(2, 200), calibration=st.integers(1, 150), seed=st.integers(0, 99), labelled=st.booleans())
def test_without_a_split_nothing_does_both(count: int, calibration: int, seed: int, labelled: bool) -> None:
    data = images(count, 3 if labelled else None)
    chosen = select(data, None, calibration=calibration, seed=seed)
    assert not set(chosen.calibration) & set(chosen.judged)
    assert len(chosen.calibration) == min(calibration, max(1, count // 2))
    assert len(chosen.calibration) + len(chosen.judged) == count
    assert chosen == select(data, None, calibration=calibration, seed=seed)


@given(count=st.integers(6, 90), calibration=st.integers(1, 60))
def test_the_trainings_split_is_kept(count: int, calibration: int) -> None:
    data = images(count)
    split = split_of(count, data)
    chosen = select(data, split, calibration=calibration, seed=0)
    assert chosen.origin == "split"
    assert {data.paths[index].as_posix() for index in chosen.calibration} <= set(split["train"])
    assert {data.paths[index].as_posix() for index in chosen.judged} == set(split["test"])


def test_a_test_picture_never_calibrates_even_where_others_are_missing() -> None:
    data = images(60)
    split = split_of(60, data)
    fewer = data.subset(range(10, 60))
    chosen = select(fewer, split, calibration=40, seed=0)
    assert chosen.origin == "seed"
    assert not {fewer.paths[index].as_posix() for index in chosen.calibration} & set(split["test"])


def test_every_class_calibrates() -> None:
    ids = np.array([0] * 90 + [1] * 5 + [2] * 5, np.int64)
    chosen = stratified(ids, range(100), 12, seed=1)
    assert [int((ids[chosen] == class_id).sum()) for class_id in range(3)] == [4, 4, 4]
    assert stratified(ids, range(100), 12, seed=2) != chosen


def test_one_picture_is_not_enough() -> None:
    with pytest.raises(DataError, match="at least two"):
        select(images(1), None, calibration=1, seed=0)


def test_tensors_come_back_from_their_file(tmp_path: Path) -> None:
    tensors = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    file = write_tensors(tmp_path / "t.u8", (tensor[np.newaxis] for tensor in tensors), (4, 6, 3))
    assert (file.open() == tensors).all()
    assert type(file).from_json(file.to_json()) == file
    assert len(write_tensors(tmp_path / "none.u8", [], (4, 6, 3)).open()) == 0
