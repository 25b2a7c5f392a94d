"""The region that a model looks at: how it is written, and what the model sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.decisions import Region, RegionModel
from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sources.registry import open_source
from tests.runtime.pipeline.stage import Shows


@pytest.mark.parametrize("text", ["320,180,640,360", "25%,12.5%,50%,50%"])
def test_a_region_is_written_as_it_is_read(text: str) -> None:
    assert str(Region.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "10,10,0,5", "50%,0%,60%,10%", "1,2,3%,4", "a,b,c,d", "-1,0,5,5"]
)
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Region.parse(text)


def test_pixels_and_shares_cut_the_same_part_without_a_copy() -> None:
    image = np.arange(100 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 200, 3)
    by_pixels, by_share = Region.parse("50,25,100,50").of(image), Region.parse("25%,25%,50%,50%").of(image)
    assert np.array_equal(by_pixels, image[25:75, 50:150])
    assert np.array_equal(by_pixels, by_share)
    assert np.shares_memory(by_pixels, image)


def test_a_picture_that_does_not_reach_so_far_is_refused() -> None:
    with pytest.raises(SourceError, match="outside of a picture of 20x10"):
        Region.parse("15,0,10,5").of(np.zeros((10, 20, 3), np.uint8))


@pytest.mark.parametrize("threads", [None, 2])
def test_a_run_sees_the_region_and_keeps_the_whole_frame(tmp_path: Path, threads: int | None) -> None:
    for number in range(8):
        image = np.zeros((20, 20, 3), np.uint8)
        image[5:15, 5:15] = number + 1
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    cv2.imwrite(str(tmp_path / "9.png"), np.zeros((8, 8, 3), np.uint8))
    shows = Shows(cpu_threads=threads)
    pipeline = Pipeline(RegionModel(shows, Region.parse("5,5,10,10")), open_source(tmp_path))
    records = list(pipeline)
    assert [record.result for record in records] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(record.frame is not None and record.frame.image.shape == (20, 20, 3) for record in records)
    assert [Path(failure.source).name for failure in pipeline.failures] == ["9.png"]
    assert shows.closed == 0
    assert all(replica.closed for replica in shows.replicas)
