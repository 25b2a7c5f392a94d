"""The pictures that calibrate and those that judge are never the same, and the test split calibrates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_converters.calibration import Selection, read_both, select, stratified
from orilla_converters.calibration_feed import calibration_tensors
from orilla_converters.source import IDENTITY
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_runtime.errors import ConversionError, DataError
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.preprocess import Preprocess

PREPROCESS = Preprocess((4, 4))


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


def test_only_pixels_are_written(tmp_path: Path) -> None:
    """What is not finite, or of another range, cannot be: a sample is bytes."""
    tensors: list[Any] = [np.full((1, 2, 2, 3), np.nan, np.float32), np.zeros((1, 2, 3, 3), np.uint8)]
    for wrong in tensors:
        with pytest.raises(DataError, match="not uint8"):
            write_tensors(tmp_path / "t.u8", [wrong], (2, 2, 3))


def photos(folder: Path, levels: Sequence[int], suffix: str = ".png") -> LabelledImages:
    """Plain pictures, named by their place; equal levels are equal pictures."""
    folder.mkdir(exist_ok=True)
    for place, level in enumerate(levels):
        cv2.imwrite(str(folder / f"{place:03}{suffix}"), np.full((8, 8, 3), level, np.uint8))
    return LabelledImages(folder, tuple(Path(f"{place:03}{suffix}") for place in range(len(levels))), None, None)


def test_a_copy_of_a_picture_that_calibrates_does_not_judge(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", [10, 20, 30, 10, 40, 30])
    # The same pixels in another file format are the same picture.
    (tmp_path / "photos" / "003.png").unlink()
    cv2.imwrite(str(tmp_path / "photos" / "003.bmp"), np.full((8, 8, 3), 10, np.uint8))
    data = replace(data, paths=tuple(Path("003.bmp") if path.stem == "003" else path for path in data.paths))
    calibration, judged = read_both(data, Selection((0, 1, 2), (3, 4, 5), "seed"), None, PREPROCESS, tmp_path)
    assert len(calibration.tensors) == 3
    assert [path.name for path in judged.images.paths] == ["004.png"]
    assert (judged.tensors.open() == 40).all()
    assert judged.twins == ("003.bmp", "005.png")


def test_a_copy_of_a_picture_that_trained_does_not_judge(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", [10, 20, 30, 20, 40])
    split = {"train": ["000.png", "001.png"], "validation": ["002.png"], "test": ["003.png", "004.png"]}
    _, judged = read_both(data, Selection((0,), (3, 4), "split"), split, PREPROCESS, tmp_path)
    assert [path.name for path in judged.images.paths] == ["004.png"]
    assert judged.twins == ("003.png",)
    with pytest.raises(DataError, match="copies of those that trained"):
        read_both(data, Selection((0,), (3,), "split"), split, PREPROCESS, tmp_path)


def test_copies_alone_cannot_judge(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", [10, 10])
    with pytest.raises(DataError, match=r"the same as those that calibrate, 001\.png for one"):
        read_both(data, Selection((0,), (1,), "seed"), None, PREPROCESS, tmp_path)


def sample(path: Path, *levels: int) -> TensorFile:
    return write_tensors(path, (np.full((1, 2, 2, 3), level, np.uint8) for level in levels), (2, 2, 3))


@pytest.mark.parametrize(("levels", "added"), [((9, 60), (0, 255)), ((0, 9), (255,)), ((255, 9), (0,)), ((0, 255), ())])
def test_the_sample_spans_what_a_pixel_can_be(tmp_path: Path, levels: tuple[int, ...], added: tuple[int, ...]) -> None:
    """Else the raw byte would not be the quantized input; TFLite and ONNX both take their sample from here."""
    given = [float(tensor.max()) for tensor in calibration_tensors(sample(tmp_path / "t.u8", *levels), IDENTITY)]
    assert given == [*levels, *added]


def test_without_pictures_nothing_is_calibrated(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="no pictures to calibrate"):
        list(calibration_tensors(sample(tmp_path / "t.u8"), IDENTITY))
