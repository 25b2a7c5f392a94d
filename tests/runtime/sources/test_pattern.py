"""The test pattern: the same on every run, readable by number, live by the clock."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.base import Frame
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import PatternSource, draw_pattern, read_pattern
from orilla_runtime.sources.registry import open_source


def test_every_frame_shows_its_number_also_after_compression_and_scaling() -> None:
    for index in (0, 1, 255, 256, 65535):
        image = draw_pattern(640, 360, index)
        assert read_pattern(image) == index
        assert read_pattern(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)) == index
        assert read_pattern(cv2.resize(image, (224, 126), interpolation=cv2.INTER_AREA)) == index
    np.testing.assert_array_equal(draw_pattern(64, 32, 5), draw_pattern(64, 32, 5))


def test_a_number_of_frames_as_fast_as_they_are_taken() -> None:
    source = open_source("pattern:320x240#50")
    assert (source.live, source.total, source.name) == (False, 50, "pattern:320x240#50")
    frames = list(source)
    assert [read_pattern(frame.image) for frame in frames if isinstance(frame, Frame)] == list(range(50))
    assert frames[0].image.shape == (240, 320, 3)
    assert not frames[0].image.flags.writeable
    assert source.dropped == 0


def test_a_live_pattern_drops_what_nobody_takes() -> None:
    source = open_source("pattern:64x48@500#400")
    assert (source.live, source.total) == (True, None)
    pause, taken = threading.Event(), []
    for frame in source:
        taken.append(frame.index)
        pause.wait(0.02)
    assert taken == sorted(set(taken))
    assert source.dropped > 0
    assert len(taken) + source.dropped == 400


def test_sizes_and_rates_from_the_options() -> None:
    assert open_source("pattern:").name == "pattern:1280x720@30"
    assert open_source("pattern:@2.5").name == "pattern:1280x720@2.5"
    assert open_source("pattern:", SourceOptions(width=64, height=32, fps=5)).name == "pattern:64x32@5"


@pytest.mark.parametrize(
    "text",
    ["pattern:99999x99999#1", "pattern:big", "pattern:64x48@", "pattern:10x10@30", "pattern:64x48@0", "pattern:#-1"],
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(UsageError):
        open_source(text)


def test_close_ends_the_wait_for_a_frame() -> None:
    source = PatternSource(64, 48, fps=0.01)
    frames = iter(source)
    assert isinstance(next(frames), Frame)
    threading.Timer(0.05, source.close).start()
    assert list(frames) == []
