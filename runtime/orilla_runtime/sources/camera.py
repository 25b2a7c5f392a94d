"""A local camera: its driver runs in a process of its own, which can be killed when it hangs."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2

from orilla_runtime.errors import SourceError
from orilla_runtime.preprocess import as_bgr
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.capture_process import CaptureProcess
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.frames import FramePool
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.reports import Reports


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name
    def grab(self) -> bool: ...
    def retrieve(self, image: Any = None) -> tuple[bool, Any]: ...
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803 - OpenCV's name
    def release(self) -> None: ...


_OPEN_SECONDS = 30.0  # Media Foundation on Windows takes up to half a minute for some cameras.
_MISSES = 5  # Reads in a row that may fail before a camera counts as lost; USB cameras start with a few.
_MISS_SECONDS = 0.05
_BARE_PIXELS = 640 * 480  # What USB 2 carries at 30 frames a second without compression, roughly.
_REMEDY = "`orilla doctor` lists the cameras; another program may hold it."


def camera_source(
    device: str,
    options: SourceOptions | None = None,
    *,
    name: str | None = None,
    opener: Callable[[], Capture] | None = None,
) -> LiveSource:
    """A local camera by its number (`0`), its device, or its stable name (`/dev/v4l/by-id/…`).

    It is opened when it is iterated, in a process of its own, and again when it was lost: a name by id is looked up
    each time, as a camera that is plugged in again may get another number. With an `opener` it is read in a thread of
    this process; a driver that hangs then delays nobody, but nothing can end its read.

    Raises:
        SourceError: there is no such camera (on Linux, where the device file tells at once), and `options.retries` does
            not say that it is to be waited for.
    """
    chosen = options or SourceOptions()
    shown = name or (f"camera {int(device)}" if device.isdigit() else device)
    if opener is None:
        if chosen.retries is None:
            _require_device(device, shown)
        notes = Reports()
        return LiveSource(
            shown,
            lambda: CaptureProcess("camera", device, chosen, name=shown, hide=str, notes=notes),
            chosen,
            remedy=_REMEDY,
            opening_seconds=max(_OPEN_SECONDS, chosen.timeout_seconds),
        )
    open_it = opener
    return LiveSource(shown, lambda: CameraConnection(open_it, chosen), chosen, remedy=_REMEDY)


class CameraConnection:
    """One opening of a camera; implements `Connection`. All in one thread, as some drivers demand."""

    def __init__(self, opener: Callable[[], Capture], options: SourceOptions) -> None:
        self._opener = opener
        self._options = options
        self._capture: Capture | None = None
        self._pool = FramePool()
        self._shape: tuple[int, ...] | None = None

    def open(self) -> None:
        """Open the device and ask for what the options want. Raises Lost."""
        try:
            self._capture = self._opener()
        except SourceError as error:
            raise Lost("is not there") from error
        if not self._capture.isOpened():
            raise Lost("cannot be opened")
        for setting, value in _wanted(self._options):
            self._capture.set(setting, value)

    def read(self) -> Arrival:
        """The next picture. Raises Lost."""
        assert self._capture is not None
        for _ in range(_MISSES + 1):
            grabbed = self._capture.grab()
            started = time.perf_counter_ns()
            image = self._pool.fill(self._shape, self._retrieve) if grabbed else None
            if image is not None:
                self._shape = image.shape
                return arrival(partial(_same, image), spent_ns=time.perf_counter_ns() - started)
            time.sleep(_MISS_SECONDS)
        raise Lost("is lost: it gives no more pictures")

    def _retrieve(self, buffer: Image | None) -> tuple[bool, object]:
        """The grabbed picture; sensors of one channel, and drivers that add an empty fourth, are brought to BGR."""
        assert self._capture is not None
        done, found = self._capture.retrieve(buffer)
        return done, as_bgr(found) if done else None

    def abort(self) -> None:
        """Nothing: releasing a camera while another thread reads from it crashes some drivers."""

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()


def _same(image: Image) -> Image:
    return image


def _wanted(options: SourceOptions) -> list[tuple[int, float]]:
    """OpenCV's settings, in the order in which drivers take them: the format decides which sizes there are."""
    pixels = (options.width or 0) * (options.height or 0)
    pixel_format = options.pixel_format or ("MJPG" if pixels > _BARE_PIXELS else None)
    wanted: list[tuple[int, float | None]] = [
        (cv2.CAP_PROP_FOURCC, None if pixel_format is None else int.from_bytes(pixel_format.encode(), "little")),
        (cv2.CAP_PROP_FRAME_WIDTH, options.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, options.height),
        (cv2.CAP_PROP_FPS, options.fps),
    ]
    return [(setting, value) for setting, value in wanted if value is not None]


def _number(device: str, shown: str) -> int:
    """The number of the camera now. Raises SourceError."""
    if device.isdigit():
        return int(device)
    # The names by id and by path are links to the numbered device, whose number changes from boot to boot.
    number = re.fullmatch(r"/dev/video([0-9]+)", str(Path(device).resolve()))
    if number is None:
        raise _not_there(shown)
    return int(number[1])


def _require_device(device: str, shown: str) -> None:
    """On Linux the device file tells at once, and without OpenCV's warnings, that there is no such camera."""
    number = _number(device, shown)
    if sys.platform == "linux" and not Path(f"/dev/video{number}").exists():
        raise _not_there(shown)


def _not_there(name: str) -> SourceError:
    return SourceError(f"{name}: there is no such camera.", "`orilla doctor` lists the cameras of this machine.")


def open_camera(device: str) -> Capture:
    """The camera that this device, or this stable name, means now. Raises SourceError where it is not there."""
    number = _number(device, device)
    if sys.platform == "linux" and not Path(f"/dev/video{number}").exists():
        raise SourceError(f"/dev/video{number} is not there.")
    if sys.platform == "linux" and cv2.CAP_V4L2 in cv2.videoio_registry.getCameraBackends():
        return cv2.VideoCapture(number, cv2.CAP_V4L2)
    return cv2.VideoCapture(number)
