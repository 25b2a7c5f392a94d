"""The camera's thread, on a real `cv2.VideoCapture` that reads a clip: each frame shows its own number."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.camera import camera_source
from orilla_runtime.sources.capture_process import CaptureProcess
from orilla_runtime.sources.connection import Lost
from orilla_runtime.sources.devices import is_camera
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.registry import open_source
from orilla_runtime.sources.reports import Reports


@pytest.fixture(scope="module")
def clip(unzipped: Callable[[str], Path]) -> str:
    return str(unzipped("video.zip") / "counter_30fps.mp4")


class _Paced:
    """A capture that gives a frame only when a test says so."""

    def __init__(self, clip: str) -> None:
        self._capture = cv2.VideoCapture(clip)
        self.permits = threading.Semaphore(0)
        self.grabbing = threading.Event()
        self.released = threading.Event()
        self.settings: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802
        return self._capture.isOpened()

    def grab(self) -> bool:
        self.grabbing.set()
        self.permits.acquire()
        return self._capture.grab()

    def retrieve(self, image: Any = None) -> tuple[bool, Any]:
        return self._capture.retrieve(image)

    def set(self, prop: int, value: float) -> bool:
        self.settings[prop] = value
        return True

    def release(self) -> None:
        self.released.set()
        self._capture.release()


def _number(frame: Frame) -> int:
    grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
    return sum(int(grey[105:135, 40 * bit + 10 : 40 * bit + 30].mean() > 128) << bit for bit in range(8))


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_a_slow_consumer_gets_the_newest_frame_and_the_rest_are_counted(clip: str) -> None:
    capture = _Paced(clip)
    source = camera_source("0", opener=lambda: capture)
    frames = iter(source)
    capture.permits.release()
    first = next(frames)
    assert isinstance(first, Frame)
    assert (first.index, _number(first), source.dropped) == (0, 0, 0)
    for _ in range(10):
        capture.permits.release()
    _wait_for(lambda: source.dropped == 9)
    newest = next(frames)
    assert isinstance(newest, Frame)
    assert (newest.index, _number(newest), source.dropped) == (10, 10, 9)
    assert _number(first) == 0  # The first was not written over.
    assert not newest.image.flags.writeable
    assert newest.captured_ns > first.captured_ns
    assert newest.pts_seconds is None
    source.close()


def test_captured_is_taken_plus_dropped(clip: str) -> None:
    options = SourceOptions(retries=0)
    source = camera_source("0", options, name="line 3", opener=lambda: cv2.VideoCapture(clip))
    taken = []
    failures = []
    for item in source:
        if isinstance(item, Failure):
            failures.append(item)
        else:
            taken.append(_number(item))
            assert item.index == taken[-1]
            time.sleep(0.001)
    assert len(taken) + source.dropped == 120
    assert source.captured == 121
    assert taken == sorted(set(taken))
    assert taken[-1] == 119  # What was there when the camera was lost is still given.
    assert [(failure.kind, failure.index) for failure in failures] == [("lost", 120)]
    assert "line 3 is lost: it gives no more pictures." in failures[0].error


def test_a_camera_that_was_unplugged_is_opened_again(clip: str) -> None:
    opened: list[int] = []

    def plug() -> Any:
        opened.append(len(opened))
        return cv2.VideoCapture(clip) if len(opened) in {1, 4} else cv2.VideoCapture()

    options = SourceOptions(retries=3, retry_seconds=0.1, frozen_seconds=None)
    source = camera_source("0", options, opener=plug)
    numbers, failures = [], []
    for item in source:
        if isinstance(item, Failure):
            failures.append(item)
        else:
            numbers.append(item.index)
    assert opened == [0, 1, 2, 3]  # A connection of less than ten pauses is a failed attempt too.
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 240  # Both clips and the failure between them.
    assert len(numbers) + source.dropped + len(failures) == source.captured
    assert [failure.error.partition(" lists")[0] for failure in failures] == [
        "camera 0 is lost: it gives no more pictures; connecting again.",
        "camera 0 is lost: it gives no more pictures; given up after 4 attempts. `orilla doctor`",
    ]


def test_close_while_a_read_hangs(clip: str) -> None:
    capture = _Paced(clip)
    source = camera_source("0", opener=lambda: capture)
    done = threading.Event()

    def consume() -> None:
        assert list(source) == []
        done.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert capture.grabbing.wait(20)
    source.close()
    assert done.wait(20)
    consumer.join()
    assert not capture.released.is_set()  # It hangs in `grab`; whoever released it now would crash it.
    capture.permits.release()
    assert capture.released.wait(20)
    source.close()
    assert list(source) == []


def test_an_untaken_frame_counts_as_dropped_at_close(clip: str) -> None:
    capture = _Paced(clip)
    source = camera_source("0", opener=lambda: capture)
    frames = iter(source)
    capture.permits.release(1)
    next(frames)
    capture.permits.release(2)
    _wait_for(lambda: source.dropped == 1)
    source.close()
    assert source.dropped == 2
    assert list(frames) == []
    capture.permits.release()


def test_a_silent_camera_is_given_up_while_its_driver_still_hangs(clip: str) -> None:
    capture = _Paced(clip)
    options = SourceOptions(timeout_seconds=0.05, retries=2)
    items = list(camera_source("3", options, opener=lambda: capture))
    assert [item.error.partition(" `")[0] for item in items if isinstance(item, Failure)] == [
        "camera 3 gave no picture for 0.05 seconds; connecting again.",
        "camera 3 gave no picture for 0.05 seconds; given up after 3 attempts.",
    ]
    assert len(items) == 2
    assert not capture.released.is_set()
    capture.permits.release()
    assert capture.released.wait(20)


@pytest.mark.parametrize(
    ("asked", "format_asked"),
    [
        ({"width": 640, "height": 480, "fps": 15}, None),
        ({"width": 1280, "height": 720}, "MJPG"),
        ({"width": 1280, "height": 720, "pixel_format": "YUYV"}, "YUYV"),
        ({"pixel_format": "MJPG"}, "MJPG"),
    ],
)
def test_size_rate_and_format_are_asked_for(clip: str, asked: dict[str, Any], format_asked: str | None) -> None:
    capture = _Paced(clip)
    capture.permits.release()
    source = camera_source("0", SourceOptions(**asked), opener=lambda: capture)
    next(iter(source))
    names = {"width": cv2.CAP_PROP_FRAME_WIDTH, "height": cv2.CAP_PROP_FRAME_HEIGHT, "fps": cv2.CAP_PROP_FPS}
    wanted = {setting: asked[name] for name, setting in names.items() if name in asked}
    if format_asked:
        wanted[cv2.CAP_PROP_FOURCC] = cv2.VideoWriter.fourcc(*format_asked)
        assert next(iter(capture.settings)) == cv2.CAP_PROP_FOURCC  # It decides which sizes there are.
    assert capture.settings == wanted
    capture.permits.release()
    source.close()


def _raise() -> Any:
    raise RuntimeError("driver\nexploded")


@pytest.mark.parametrize(
    ("opener", "words"),
    [(lambda: cv2.VideoCapture(), "camera 7 cannot be opened"), (_raise, "camera 7 failed: driver exploded")],
)
def test_a_camera_that_does_not_open(opener: Callable[[], Any], words: str) -> None:
    items = list(camera_source("7", SourceOptions(retry_seconds=0.01), opener=opener))
    assert [isinstance(item, Failure) and words in item.error for item in items] == [True, True]
    assert "given up after 3 attempts. `orilla doctor` lists the cameras" in items[1].error


@pytest.mark.skipif(sys.platform != "linux", reason="device files of Linux")
@pytest.mark.parametrize("spec", [97, "97", "/dev/video97", "/dev/v4l/by-id/usb-none", Path("/dev/video97")])
def test_a_camera_that_is_not_there(spec: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="no such camera") as caught:
        open_source(spec)
    assert "97" in str(caught.value) or "usb-none" in str(caught.value)
    assert "orilla doctor" in str(caught.value)
    assert capfd.readouterr().err == ""


def test_what_means_a_camera() -> None:
    assert [text for text in ("0", "/dev/video3", "/dev/v4l/by-id/usb-Cam-index0") if not is_camera(text)] == []
    assert [text for text in ("0.jpg", "2024_12", "-1", "/dev/null", "20241231") if is_camera(text)] == []


def test_a_path_of_digits_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done, data = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))
    assert done
    Path("7").write_bytes(data.tobytes())
    for spec in (Path("7"), "./7"):
        (item,) = open_source(spec)
        assert isinstance(item, Frame)


@pytest.mark.skipif(sys.platform != "linux", reason="device files of Linux")
def test_the_reading_process_says_that_a_camera_is_gone() -> None:
    """It was there when the run began, and is looked up at each attempt."""
    connection = CaptureProcess("camera", "/dev/video97", SourceOptions(), name="front", hide=str, notes=Reports())
    connection.open()
    with pytest.raises(Lost, match="is not there"):
        connection.read()
    connection.close()
    connection.close()


def test_a_camera_of_one_channel_gives_bgr(clip: str) -> None:
    class Grey(_Paced):
        def retrieve(self, image: Any = None) -> tuple[bool, Any]:
            done, found = super().retrieve()
            return done, cv2.cvtColor(found, cv2.COLOR_BGR2GRAY)

    capture = Grey(clip)
    capture.permits.release(3)
    frames = iter(camera_source("0", opener=lambda: capture))
    first, second = next(frames), next(frames)
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert first.image.shape == second.image.shape
    assert (first.image.shape[2], _number(second) > _number(first)) == (3, True)
    capture.permits.release()


def test_a_packed_program_is_not_started_again_for_each_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    (failure,) = open_source("http://127.0.0.1:9/x", SourceOptions(retries=0))
    assert isinstance(failure, Failure)
    assert "packed without a Python" in failure.error
