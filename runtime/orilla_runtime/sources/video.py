"""A video file, every frame of it, with the times that its container gives."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2

from orilla_runtime.sources.base import Failure, Frame, Image
from orilla_runtime.sources.container import Container, read_container
from orilla_runtime.sources.frames import FramePool
from orilla_runtime.sources.picture import MAX_PIXELS
from orilla_runtime.sources.unreadable import Unreadable


class VideoSource:
    """The frames of one video file, in order, none left out; implements `Source`.

    Rotation is honoured. A file that is no video yields one failure; a file whose end is missing yields the frames that
    are there and then a failure that says so. Nothing is opened before the first use. Reading and `close` may happen
    in different threads.
    """

    def __init__(self, path: str | Path, *, max_pixels: int = MAX_PIXELS) -> None:
        self.path = Path(path)
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._capture: cv2.VideoCapture | None = None
        self._container = Container(counted=False, cut=False)
        self._fault: str | None = None
        self._prepared = False
        self._closed = False
        self._pool = FramePool()
        self._shape: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def live(self) -> bool:
        """False: every frame is read."""
        return False

    @property
    def total(self) -> int | None:
        """The number of frames where the container stores it; None where it would be an estimate."""
        with self._lock:
            capture = self._prepare()
            if capture is None:
                return None if self._closed else 1
            return self._promised(capture)

    @property
    def dropped(self) -> int:
        """0: every frame is read."""
        return 0

    def __iter__(self) -> Iterator[Frame | Failure]:
        index = failed = 0
        try:
            while True:
                item = self._next(index)
                if item is None:
                    break
                yield item
                index += 1
                failed += isinstance(item, Failure)
                if self._fault is not None:
                    return
            missing = self._missing(index, failed)
            if missing is not None:
                yield Failure(self.name, index, missing)
        finally:
            self.close()

    def close(self) -> None:
        """Release the file; waits for the frame that another thread is reading."""
        with self._lock:
            self._closed = True
            if self._capture is not None:
                self._capture.release()

    def _next(self, index: int) -> Frame | Failure | None:
        """The next frame, or None at the end."""
        with self._lock:
            capture = self._prepare()
            if self._fault is not None:
                return Failure(self.name, index, self._fault)
            if capture is None or self._closed:
                return None
            started = time.perf_counter_ns()
            if not capture.grab():
                return None
            # The time is that of the frame just grabbed; before `grab` it would be that of the one before.
            milliseconds = capture.get(cv2.CAP_PROP_POS_MSEC)
            pixels = self._retrieve(capture)
            decode_ns = time.perf_counter_ns() - started
        if pixels is None:
            return Failure(self.name, index, f"{self.name}: frame {index} cannot be decoded.")
        known = math.isfinite(milliseconds) and (milliseconds > 0 or index == 0)
        return Frame(
            image=pixels,
            index=index,
            source=self.name,
            pts_seconds=milliseconds / 1000 if known else None,
            captured_ns=time.monotonic_ns(),
            captured_at=datetime.now(UTC),
            decode_ns=decode_ns,
        )

    def _retrieve(self, capture: cv2.VideoCapture) -> Image | None:
        """The grabbed frame in a buffer that nobody holds."""
        pixels = self._pool.fill(
            self._shape, lambda buffer: capture.retrieve() if buffer is None else capture.retrieve(buffer)
        )
        if pixels is not None:
            self._shape = pixels.shape
        return pixels

    def _prepare(self) -> cv2.VideoCapture | None:
        """Open the file once; afterwards either the capture or `_fault` is set."""
        if self._prepared or self._closed:
            return self._capture
        self._prepared = True
        try:
            self._container = read_container(self.path)
        except Unreadable as reason:
            self._fault = f"{self.name} {reason}."
            return None
        except OSError as error:
            self._fault = f"{self.name} cannot be read: {error.strerror or error}."
            return None
        # An absolute path, so that a name such as `concat:x` is not a protocol to FFmpeg.
        capture = cv2.VideoCapture(os.path.abspath(self.path), _backend())  # noqa: PTH100 - resolve() follows links
        if not capture.isOpened():
            self._fault = f"{self.name} holds no video that this OpenCV can read."
            return None
        width, height = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > self._max_pixels:
            self._fault = (
                f"{self.name} is a video of {width:.0f}x{height:.0f} pixels, more than the limit of "
                f"{self._max_pixels / 1e6:g} megapixels."
            )
            capture.release()
            return None
        self._capture = capture
        return capture

    def _promised(self, capture: cv2.VideoCapture) -> int | None:
        """How many frames the container stores, less those that were trimmed away; None where it does not say."""
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not self._container.counted or not 0 < count < 1e12:
            return None
        rate = capture.get(cv2.CAP_PROP_FPS)
        if self._container.seconds is not None and math.isfinite(rate) and rate > 0:
            count = min(count, math.floor(self._container.seconds * rate + 0.5))
        return max(1, int(count))

    def _missing(self, index: int, failed: int) -> str | None:
        """What to say after the last frame when it was not the last one of the video."""
        with self._lock:
            if self._closed or self._capture is None:
                return None
            promised = self._promised(self._capture)
        read = index - failed
        if index == 0:
            return f"{self.name} holds no frame."
        if promised is None:
            return f"{self.name} is cut off: its end is missing after {read} frames." if self._container.cut else None
        # Containers miscount by a frame, and by a few per cent where the rate varies and was trimmed.
        if index >= promised - max(1, promised // 50):
            return None
        reason = "is cut off" if self._container.cut else "is damaged"
        return f"{self.name} {reason}: {read} of its {promised} frames could be read."


def _backend() -> int:
    """FFmpeg where this OpenCV has it: other backends take some names for patterns of picture files."""
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends()
    return cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY
