"""A test pattern: moving pictures that carry their own number, without a camera."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import cv2
import numpy as np

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.base import Failure, Frame, Image
from orilla_runtime.sources.options import SourceOptions

_SPEC = re.compile(r"(?:([0-9]{1,5})x([0-9]{1,5}))?(?:@([0-9]{1,4}(?:\.[0-9]{1,3})?))?(?:#([0-9]{1,9}))?")
_BITS = 16


class PatternSource:
    """Synthetic pictures; implements `Source`.

    With a rate it is live: frames come by the clock, and those that nobody took in time are dropped. Without one every
    frame is given, as fast as it is taken. The same number gives the same pixels on every machine with the same OpenCV.

    Args:
        width, height: pixels, at least 64 x 32.
        fps: frames a second, or None.
        count: how many frames there are; None: without end.
    """

    def __init__(
        self, width: int = 1280, height: int = 720, *, fps: float | None = 30.0, count: int | None = None
    ) -> None:
        if width < 64 or height < 32 or (fps is not None and fps <= 0):
            raise UsageError(f"A test pattern of {width}x{height} at {fps} frames a second is not possible.")
        self._size = width, height
        self._fps = fps
        self._count = count
        self._dropped = 0
        self._closed = threading.Event()
        rate = f"@{fps:g}" if fps is not None else ""
        self._name = f"pattern:{width}x{height}{rate}{f'#{count}' if count is not None else ''}"

    @property
    def name(self) -> str:
        """As it is written: `pattern:1280x720@30`."""
        return self._name

    @property
    def live(self) -> bool:
        """True with a rate."""
        return self._fps is not None

    @property
    def total(self) -> int | None:
        """The number of frames, where every one is given."""
        return self._count if self._fps is None else None

    @property
    def dropped(self) -> int:
        """Frames whose time passed before anybody took them."""
        return self._dropped

    def __iter__(self) -> Iterator[Frame | Failure]:
        start, following = time.monotonic(), 0
        while not self._closed.is_set():
            index = following if self._fps is None else self._due(start, following)
            if index is None or (self._count is not None and index >= self._count):
                if self._count is not None and not self._closed.is_set():
                    self._dropped += self._count - following
                return
            self._dropped += index - following
            following = index + 1
            began = time.perf_counter_ns()
            image = draw_pattern(*self._size, index)
            image.setflags(write=False)
            spent = time.perf_counter_ns() - began
            seconds = index / self._fps if self._fps is not None else None
            yield Frame(image, index, self._name, seconds, time.monotonic_ns(), datetime.now(UTC), spent)

    def close(self) -> None:
        """End the iteration, also one that waits for the next frame's time."""
        self._closed.set()

    def _due(self, start: float, following: int) -> int | None:
        """The newest frame whose time has come, after waiting for it; None when closed."""
        assert self._fps is not None
        wait = start + following / self._fps - time.monotonic()
        if wait > 0 and self._closed.wait(wait):
            return None
        return max(following, int((time.monotonic() - start) * self._fps))


def draw_pattern(width: int, height: int, index: int) -> Image:
    """Frame `index`: colour ramps that move, the number in digits and, below, as 16 squares (bit 0 at the left)."""
    across = (np.arange(width, dtype=np.int64) * 256 // width + 3 * index).astype(np.uint8)
    down = (np.arange(height, dtype=np.int64) * 256 // height).astype(np.uint8)
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = across
    image[..., 1] = down[:, None]
    image[..., 2] = across[::-1] ^ np.uint8(0x40)
    scale = width / 640
    cv2.putText(image, f"{index}", (width // 20, height // 3), cv2.FONT_HERSHEY_SIMPLEX, 2 * scale, (255, 255, 255), 2)
    side, top = width // _BITS, height - max(8, height // 8)
    for bit in range(_BITS):
        image[top:, bit * side : (bit + 1) * side] = 255 if index >> bit & 1 else 0
    return image


def read_pattern(image: Image) -> int:
    """The number (modulo 65,536) that a frame of the pattern shows, also after compression or scaling."""
    height, width = image.shape[:2]
    side, top = width // _BITS, height - max(8, height // 8)
    row = (top + height) // 2
    grey = image[row - 1 : row + 2].mean(axis=(0, 2))
    return sum(
        int(grey[bit * side + side // 4 : (bit + 1) * side - side // 4].mean() > 127) << bit for bit in range(_BITS)
    )


def pattern_source(text: str, options: SourceOptions) -> PatternSource:
    """`1280x720@30#1000`: size, rate and number of frames; each may be left out (size and rate then as in `options`).

    Raises:
        UsageError: something else.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        raise UsageError(
            f"The test pattern {text!r} cannot be read.", "Write pattern:1280x720@30 or pattern:640x480#1000."
        )
    width, height, fps, count = found.groups()
    rate = float(fps) if fps else options.fps
    if rate is None and count is None:
        rate = 30.0
    columns, rows = int(width or options.width or 1280), int(height or options.height or 720)
    if columns * rows > options.max_pixels:
        raise UsageError(
            f"A test pattern of {columns}x{rows} is more than the limit of {options.max_pixels / 1e6:g} megapixels."
        )
    return PatternSource(columns, rows, fps=rate, count=int(count) if count else None)
