"""Pictures as tensors: the same whether they wait on disk or are read again, and every unreadable one is named."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.data.pictures import Pictures
from orilla.data.sample import look_at
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages, read_labelled
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.sources.picture import read_picture

PREPROCESS = Preprocess((8, 8))
COUNT = 70
"""More than one chunk."""


@pytest.fixture
def images(tmp_path: Path) -> LabelledImages:
    drawn = np.random.default_rng(0)
    for index in range(COUNT):
        path = tmp_path / "data" / "ab"[index % 2] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), drawn.integers(0, 256, (12, 17, 3), np.uint8))
    return read_labelled(tmp_path / "data")


@pytest.mark.parametrize("cached", [COUNT, 10, 0])
def test_tensors_are_what_preprocess_makes_of_the_files(images: LabelledImages, cached: int) -> None:
    places = np.array([69, 3, 3, 11, 0, 42])
    expected = np.concatenate([PREPROCESS(read_picture(images.full_path(place))) for place in places])
    with Pictures(images, PREPROCESS, cache_bytes=cached * 8 * 8 * 3) as pictures:
        pictures.prepare()
        assert pictures.cached == cached
        np.testing.assert_array_equal(pictures.take(places), expected)
        batches = list(pictures.batches(places, 4))
        assert [len(batch) for batch in batches] == [4, 2]
        np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_nothing_is_left_behind(images: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Pictures(images, PREPROCESS) as pictures:
        pictures.prepare()
        assert pictures.cached == COUNT
        # The file has no name any more, so that a kill leaves none either.
        assert not [path for path in tmp_path.glob("orilla-*/*") if os.name == "posix"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_progress_counts_every_picture(images: LabelledImages) -> None:
    seen: list[tuple[int, int]] = []
    with Pictures(images, PREPROCESS) as pictures:
        pictures.prepare(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (COUNT, COUNT)


def test_unreadable_pictures_are_counted_and_named(images: LabelledImages) -> None:
    for index in (5, 17, 66, 67):
        images.full_path(index).write_bytes(b"no picture")
    with Pictures(images, PREPROCESS) as pictures, pytest.raises(DataError) as caught:
        pictures.prepare()
    assert f"4 of {COUNT} pictures" in caught.value.message
    for index in (5, 17, 66):
        assert images.paths[index].name in caught.value.message
    assert images.paths[67].name not in caught.value.message
    assert "1 more" in caught.value.message


def test_a_picture_that_vanishes_later_is_named(images: LabelledImages) -> None:
    with Pictures(images, PREPROCESS, cache_bytes=0) as pictures:
        pictures.prepare()
        images.full_path(7).unlink()
        with pytest.raises(DataError, match=images.paths[7].name):
            pictures.take([6, 7])


def test_a_sample_tells_size_and_colour(images: LabelledImages) -> None:
    sample = look_at(images)
    assert sample is not None
    assert (sample.short_side, sample.grey) == (12, False)
    for index in range(COUNT):
        cv2.imwrite(str(images.full_path(index)), np.full((20, 30), index, np.uint8))
    sample = look_at(images)
    assert sample is not None
    assert (sample.short_side, sample.grey) == (20, True)
