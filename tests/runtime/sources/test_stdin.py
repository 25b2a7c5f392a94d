"""Pictures through a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import draw_pattern, read_pattern
from orilla_runtime.sources.registry import open_source
from orilla_runtime.sources.stdin import stdin_source


def _piped(data: bytes, options: SourceOptions | None = None) -> list[Frame | Failure]:
    reading, writing = os.pipe()

    def write() -> None:
        # Who reads may go away before the end.
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        items = list(stdin_source(options or SourceOptions(), stream=pipe))
    writer.join()
    return items


def _jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", draw_pattern(160, 120, number))[1].tobytes()


def _numbers(items: list[Frame | Failure]) -> list[int | str]:
    return [read_pattern(item.image) if isinstance(item, Frame) else item.error for item in items]


def test_jpegs_are_all_given_in_order() -> None:
    items = _piped(b"".join(map(_jpeg, range(40))))
    assert _numbers(items) == list(range(40))
    assert [item.index for item in items] == list(range(40))
    assert {item.source for item in items} == {"-"}


def test_a_damaged_one_and_an_end_that_is_missing() -> None:
    cut = _jpeg(1)[:-900]
    items = _piped(_jpeg(0) + cut + _jpeg(2) + _jpeg(3)[:-900])
    assert _numbers(items) == [0, "-: a picture is a JPEG that is cut off: its end is missing.", 2]
    for nothing in (b"", b"no pictures at all"):
        assert _numbers(_piped(nothing)) == ["- (standard input) ended without a picture."]


def test_a_flood_without_an_end_is_refused() -> None:
    (item,) = _piped(_jpeg(0)[:400] + b"x" * (33 * 1024 * 1024))
    assert isinstance(item, Failure)
    assert "more than 32 MiB" in item.error


@pytest.mark.parametrize(
    ("layout", "conversion"),
    [("bgr24", None), ("rgb24", cv2.COLOR_BGR2RGB), ("gray", cv2.COLOR_BGR2GRAY), ("yuv420p", cv2.COLOR_BGR2YUV_I420)],
)
def test_bare_frames(layout: str, conversion: int | None) -> None:
    images = [draw_pattern(160, 120, number) for number in range(5)]
    data = b"".join((image if conversion is None else cv2.cvtColor(image, conversion)).tobytes() for image in images)
    items = _piped(data, SourceOptions(raw=f"160x120:{layout}"))
    assert _numbers(items) == list(range(5))
    for item in items:
        assert isinstance(item, Frame)
        assert item.image.shape == (120, 160, 3)
    if layout in {"bgr24", "rgb24"}:
        assert isinstance(items[3], Frame)
        np.testing.assert_array_equal(items[3].image, images[3])
    items = _piped(data[:-5], SourceOptions(raw=f"160x120:{layout}"))
    assert isinstance(items[-1], Failure)
    assert "the last frame has" in items[-1].error


@pytest.mark.parametrize("layout", ["nv12", "yuyv422"])
def test_grey_in_layouts_of_cameras(layout: str) -> None:
    size = 8 * 4 * (3 if layout == "nv12" else 4) // 2
    (item,) = _piped(b"\x80" * size, SourceOptions(raw=f"8x4:{layout}"))
    assert isinstance(item, Frame)
    assert item.image.shape == (4, 8, 3)
    assert np.abs(item.image.astype(int) - 130).max() <= 1  # Video black is 16, so 128 is (128 - 16) * 255 / 219.


@pytest.mark.parametrize("raw", ["", "640x480", "640x480:bgra", "99999x99999:gray", "0x4:gray", "3x3:nv12", "x:y"])
def test_a_layout_that_cannot_be_read(raw: str) -> None:
    with pytest.raises(UsageError):
        open_source("-", SourceOptions(raw=raw))


def test_the_process_ends_while_the_pipe_stays_open_and_silent() -> None:
    """Closing must not wait for who writes, and the thread that still reads must not hold up the end."""
    code = (
        "import threading\n"
        "from orilla_runtime.sources.registry import open_source\n"
        "source = open_source('-')\n"
        "threading.Timer(0.3, source.close).start()\n"
        "print(sum(1 for _ in source))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_jpeg(0))
    process.stdin.flush()
    assert process.stdout.read() == b"1\n"
    assert process.wait(20) == 0
    process.stdin.close()
    process.stdout.close()


def test_who_writes_waits_for_who_reads() -> None:
    reading, writing = os.pipe()
    written = []

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for number in range(400):
                pipe.write(_jpeg(number))
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        items = iter(stdin_source(SourceOptions(), stream=pipe))
        first = next(items)
        time.sleep(0.3)
        assert len(written) < 300
        assert _numbers([first, *items]) == list(range(400))
    writer.join()
