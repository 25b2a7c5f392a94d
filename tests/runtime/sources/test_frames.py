"""Buffers of frames: used again, but never while anybody can still see the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.sources.base import Frame, Image
from orilla_runtime.sources.frames import FramePool
from orilla_runtime.sources.video import VideoSource

SHAPE = (4, 6, 3)


class Numbered:
    """Writes 0, 1, 2, … into the buffers, as a decoder would."""

    def __init__(self) -> None:
        self.count = -1

    def __call__(self, buffer: Image | None) -> tuple[bool, Image]:
        self.count += 1
        filled = np.empty(SHAPE, np.uint8) if buffer is None else buffer
        filled[:] = self.count
        return True, filled


def address(picture: Image) -> int:
    return int(picture.__array_interface__["data"][0])


def test_a_buffer_that_nobody_holds_is_used_again() -> None:
    pool, read = FramePool(), Numbered()
    places = set()
    for _ in range(50):
        picture = pool.fill(SHAPE, read)
        assert picture is not None
        assert not picture.flags.writeable
        places.add(address(picture))
    assert len(places) == 2  # one is still held while the next is filled


@pytest.mark.parametrize(
    "hold",
    [
        lambda picture: picture,
        lambda picture: picture[1:3, ::2],
        lambda picture: picture[1:3][:, 1:][0],
        lambda picture: picture.T.reshape(-1)[:5] if picture.T.flags.c_contiguous else picture.T,
        memoryview,
        lambda picture: np.frombuffer(picture, np.uint8),
        lambda picture: np.asarray(memoryview(picture)),
    ],
)
def test_whatever_shares_the_memory_keeps_it(hold: Callable[[Image], Any]) -> None:
    pool, read = FramePool(), Numbered()
    held = [hold(pool.fill(SHAPE, read)) for _ in range(40)]  # type: ignore[arg-type]
    for number, shared in enumerate(held):
        assert set(np.asarray(shared).reshape(-1).tolist()) == {number}


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 4))
def test_frames_that_are_held_for_a_while_are_intact(drops: list[int], kept: int) -> None:
    pool, read = FramePool(kept), Numbered()
    held: dict[int, Image] = {}
    for drop in drops:
        picture = pool.fill(SHAPE, read)
        assert picture is not None
        held[read.count] = picture
        for number in list(held)[:drop]:
            del held[number]
        assert all((shown == number).all() for number, shown in held.items())


def test_the_pool_does_not_keep_what_its_holders_let_go() -> None:
    pool, read = FramePool(kept=3), Numbered()
    held = [pool.fill(SHAPE, read) for _ in range(30)]
    places = {address(picture) for picture in held if picture is not None}
    held.clear()
    again = [pool.fill(SHAPE, read) for _ in range(3)]
    assert {address(picture) for picture in again if picture is not None} <= places


def test_a_change_of_size_in_the_middle_gives_pictures_of_the_new_size() -> None:
    pool = FramePool()
    for size in (4, 4, 7, 7, 4):
        picture = pool.fill(SHAPE, lambda _, size=size: (True, np.full((size, size, 3), size, np.uint8)))  # type: ignore[misc]
        assert picture is not None
        assert picture.shape == (size, size, 3)
    assert pool.fill(SHAPE, lambda _: (False, None)) is None
    assert pool.fill(SHAPE, lambda _: (True, np.zeros((4, 4), np.uint8))) is None


@pytest.mark.parametrize("name", ["photos_mjpeg.avi", "phone_rotated.mp4"])
def test_every_frame_of_a_video_can_be_kept(unzipped: Callable[[str], Path], name: str) -> None:
    path = unzipped("video.zip") / name
    frames = [item for item in VideoSource(path) if isinstance(item, Frame)]
    capture = cv2.VideoCapture(str(path))
    assert len(frames) > 20
    for frame in frames:
        assert np.array_equal(frame.image, capture.read()[1])
        assert frame.image.flags.c_contiguous
