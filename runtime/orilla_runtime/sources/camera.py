"""A camera: the newest picture, never a stale one, and an end that does not wait for the driver."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import cv2

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.options import SourceOptions


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Any]: ...
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803 - OpenCV's name
    def release(self) -> None: ...


_OPEN_SECONDS = 30.0  # Media Foundation on Windows takes up to half a minute for some cameras.
_CLOSE_SECONDS = 0.5
_MISSES = 5  # Reads in a row that may fail before a camera counts as lost; USB cameras start with a few.
_MISS_SECONDS = 0.05


class CameraSource:
    """A local camera; implements `Source`.

    A thread reads and keeps only the newest picture: who takes frames slowly gets fresh ones, and those in between are
    counted in `dropped`. `index` is the number of the captured picture, so a gap shows what was dropped. A camera that
    is lost or silent for `timeout_seconds` yields one failure and ends. `close` returns within a second even while the
    driver hangs.

    Raises:
        SourceError: the camera does not open.
    """

    def __init__(
        self,
        index: int,
        options: SourceOptions | None = None,
        *,
        name: str | None = None,
        opener: Callable[[], Capture] | None = None,
    ) -> None:
        self._name = name or f"camera {index}"
        self._options = options or SourceOptions()
        self._opener = opener or (lambda: _open_camera(index))
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._dropped = 0
        self._opened = False
        self._stopping = False
        self._lost: str | None = None
        if opener is None:
            _require_device(index, self._name)
        # A daemon: a driver that never returns must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"orilla {self._name}", daemon=True)
        self._thread.start()
        self._await_opening()

    @property
    def name(self) -> str:
        """`camera 0`, or the device's path."""
        return self._name

    @property
    def live(self) -> bool:
        """True: frames that nobody takes are dropped."""
        return True

    @property
    def total(self) -> int | None:
        """None: a camera does not end by itself."""
        return None

    @property
    def dropped(self) -> int:
        """Frames that were captured and never taken."""
        with self._changed:
            return self._dropped

    def __iter__(self) -> Iterator[Frame | Failure]:
        try:
            following = 0
            while (item := self._take(following)) is not None:
                yield item
                if isinstance(item, Failure):
                    return
                following = item.index + 1
        finally:
            self.close()

    def close(self) -> None:
        """Stop reading. The thread releases the camera itself: releasing it while it reads crashes some drivers."""
        with self._changed:
            self._stop()
        if self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_SECONDS)

    def _stop(self) -> None:
        self._stopping = True
        if self._newest is not None:
            self._dropped += 1
            self._newest = None
        self._changed.notify_all()

    def _take(self, following: int) -> Frame | Failure | None:
        """The newest frame as soon as there is one; a failure when there will be none; None when closed."""
        limit = time.monotonic() + self._options.timeout_seconds
        with self._changed:
            while True:
                if self._stopping:
                    return None
                if self._newest is not None:
                    frame, self._newest = self._newest, None
                    return frame
                if self._lost is not None:
                    return Failure(self._name, following, self._lost)
                left = limit - time.monotonic()
                if left <= 0:
                    return Failure(
                        self._name,
                        following,
                        f"{self._name} gave no picture for {self._options.timeout_seconds:g} seconds.",
                    )
                # Short waits, because Ctrl-C does not end a long one on Windows.
                self._changed.wait(min(left, 0.5))

    def _await_opening(self) -> None:
        limit = time.monotonic() + _OPEN_SECONDS
        with self._changed:
            while not self._opened and self._lost is None:
                left = limit - time.monotonic()
                if left <= 0:
                    self._stop()
                    self._lost = f"{self._name} did not open within {_OPEN_SECONDS:g} seconds."
                    break
                self._changed.wait(min(left, 0.5))
            if not self._opened:
                raise SourceError(self._lost or "", "`orilla doctor` lists the cameras; another program may hold it.")

    def _work(self) -> None:
        """Open, read until stopped or lost, release: all in this one thread, as some drivers demand."""
        capture = None
        try:
            capture = self._opener()
            if not capture.isOpened():
                self._lose(f"{self._name} cannot be opened.")
                return
            self._configure(capture)
            with self._changed:
                self._opened = True
                self._changed.notify_all()
            self._read(capture)
        except Exception as error:  # Whatever a driver raises must reach the consumer, not die here.
            self._lose(f"{self._name} failed: {' '.join(str(error).split()) or type(error).__name__}.")
        finally:
            if capture is not None:
                capture.release()

    def _configure(self, capture: Capture) -> None:
        wanted = (
            (cv2.CAP_PROP_FRAME_WIDTH, self._options.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, self._options.height),
            (cv2.CAP_PROP_FPS, self._options.fps),
        )
        for setting, value in wanted:
            if value is not None:
                capture.set(setting, value)

    def _read(self, capture: Capture) -> None:
        index = misses = 0
        while not self._stopping:
            grabbed = capture.grab()
            captured_ns, captured_at = time.monotonic_ns(), datetime.now(UTC)
            started = time.perf_counter_ns()
            held, image = capture.retrieve() if grabbed else (False, None)
            if not held or image is None:
                misses += 1
                if misses > _MISSES:
                    self._lose(f"{self._name} is lost: it gives no more pictures.")
                    return
                time.sleep(_MISS_SECONDS)
                continue
            misses = 0
            image.setflags(write=False)
            decode_ns = time.perf_counter_ns() - started
            self._put(Frame(image, index, self._name, None, captured_ns, captured_at, decode_ns))
            index += 1

    def _put(self, frame: Frame) -> None:
        with self._changed:
            if self._newest is not None or self._stopping:
                self._dropped += 1
            if not self._stopping:
                self._newest = frame
                self._changed.notify_all()

    def _lose(self, reason: str) -> None:
        with self._changed:
            self._lost = self._lost or reason
            self._changed.notify_all()


def camera_index(text: str) -> int | None:
    """The number of the camera that `0`, `/dev/video0` or `/dev/v4l/by-id/…` means; None for anything else.

    Raises:
        SourceError: a camera's device that is not there.
    """
    if re.fullmatch(r"[0-9]{1,4}", text):
        return int(text)
    if not re.match(r"/dev/(video[0-9]+$|v4l/)", text):
        return None
    # The names by id and by path are links to the numbered device, whose number changes from boot to boot.
    number = re.fullmatch(r"/dev/video([0-9]+)", str(Path(text).resolve()))
    if number is None:
        raise _not_there(text)
    return int(number[1])


def _require_device(index: int, name: str) -> None:
    """On Linux the device file tells at once, and without OpenCV's warnings, that there is no such camera."""
    if sys.platform == "linux" and not Path(f"/dev/video{index}").exists():
        raise _not_there(name)


def _not_there(name: str) -> SourceError:
    return SourceError(f"{name}: there is no such camera.", "`orilla doctor` lists the cameras of this machine.")


def _open_camera(index: int) -> Capture:
    if sys.platform == "linux" and cv2.CAP_V4L2 in cv2.videoio_registry.getCameraBackends():
        return cv2.VideoCapture(index, cv2.CAP_V4L2)
    return cv2.VideoCapture(index)
