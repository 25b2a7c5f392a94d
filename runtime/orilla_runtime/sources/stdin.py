"""Pictures from standard input: JPEGs one after the other, or bare frames."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.multipart import JpegReader, TooLarge
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.picture import decode_picture

_PIECE_BYTES = 256 * 1024
_FORMATS: dict[str, tuple[int, int, int | None]] = {
    # FFmpeg's names: bytes for two pixels, rows for two rows, OpenCV's conversion.
    "bgr24": (6, 2, None),
    "rgb24": (6, 2, cv2.COLOR_RGB2BGR),
    "gray": (2, 2, cv2.COLOR_GRAY2BGR),
    "yuyv422": (4, 2, cv2.COLOR_YUV2BGR_YUYV),
    "nv12": (2, 3, cv2.COLOR_YUV2BGR_NV12),
    "yuv420p": (2, 3, cv2.COLOR_YUV2BGR_I420),
}


def stdin_source(options: SourceOptions, *, stream: BinaryIO | None = None) -> LiveSource:
    """Every picture of standard input, in order; who writes waits for the model. `options.raw` tells of bare frames.

    Raises:
        UsageError: `options.raw` is not of the form `640x480:bgr24`.
    """
    layout = None if options.raw is None else RawLayout.parse(options.raw, options.max_pixels)
    return LiveSource("-", lambda: StdinConnection(stream, layout, options), _once(options), every=True)


def _once(options: SourceOptions) -> SourceOptions:
    from dataclasses import replace

    return replace(options, retries=0, frozen_seconds=None)


class RawLayout:
    """How a bare frame lies in memory: width, height and one of FFmpeg's pixel formats."""

    def __init__(self, width: int, height: int, pixel_format: str) -> None:
        across, rows, self._conversion = _FORMATS[pixel_format]
        bytes_a_row = width * across // 2
        self._shape = (height * rows // 2, width, bytes_a_row // width) if across > 2 else (height * rows // 2, width)
        self.frame_bytes = height * rows // 2 * bytes_a_row

    @classmethod
    def parse(cls, text: str, max_pixels: int) -> RawLayout:
        """`640x480:bgr24`. Raises UsageError."""
        found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5}):([a-z0-9]+)", text)
        if found is None or found[3] not in _FORMATS or not int(found[1]) or not int(found[2]):
            raise UsageError(
                f"{text!r} does not say how bare frames are laid out.",
                f"Write WIDTHxHEIGHT:FORMAT, such as 640x480:bgr24; formats: {', '.join(_FORMATS)}.",
            )
        width, height = int(found[1]), int(found[2])
        if found[3] in {"nv12", "yuv420p", "yuyv422"} and (width % 2 or height % 2):
            raise UsageError(f"A {found[3]} picture has an even width and height, not {width}x{height}.")
        if width * height > max_pixels:
            raise UsageError(
                f"Bare frames of {width}x{height} are more than the limit of {max_pixels / 1e6:g} megapixels."
            )
        return cls(width, height, found[3])

    def decode(self, data: bytes) -> Image:
        """One frame as uint8 BGR; `data` is `frame_bytes` long."""
        pixels: NDArray[np.uint8] = np.frombuffer(data, np.uint8).reshape(self._shape)
        if self._conversion is None:
            return pixels.copy()
        return np.asarray(cv2.cvtColor(pixels, self._conversion), np.uint8)


class StdinConnection:
    """Reads a stream of bytes that is there once; implements `Connection`."""

    def __init__(self, stream: BinaryIO | None, layout: RawLayout | None, options: SourceOptions) -> None:
        self._stream = stream
        self._layout = layout
        self._options = options
        self._jpegs = JpegReader()
        self._waiting: deque[bytes] = deque()
        self._buffer = bytearray()
        self._over = self._has_given = False

    def open(self) -> None:
        """Take standard input. Raises Lost where it is a terminal, or closed."""
        if self._stream is None:
            if sys.stdin is None or sys.stdin.closed:
                raise Lost("(standard input) is closed")
            self._stream = sys.stdin.buffer
        if self._stream.isatty():
            raise Lost("(standard input) is a terminal: pipe pictures into it")

    def read(self) -> Arrival | None:
        """The next picture; None at the end. Raises Lost, also at an end before the first picture."""
        while not self._waiting:
            if self._over and not self._has_given:
                raise Lost("(standard input) ended without a picture")
            if self._over:
                return None
            piece = self._piece()
            try:
                self._waiting.extend(self._split(piece))
            except TooLarge as error:
                raise Lost(f"(standard input) {error}") from None
        data = self._waiting.popleft()
        self._has_given = True
        return arrival(lambda: self._decode(data))

    def abort(self) -> None:
        """Nothing: a read from a pipe cannot be ended from outside; the thread that waits in it is left behind."""

    def close(self) -> None:
        """Standard input is not ours to close."""

    def _piece(self) -> bytes:
        assert self._stream is not None
        try:
            # Not through the buffer, which a thread that is left behind would hold locked until the process ends.
            return os.read(self._stream.fileno(), _PIECE_BYTES)
        except OSError as error:
            raise Lost(f"(standard input) cannot be read: {error.strerror or error}") from None

    def _split(self, piece: bytes) -> list[bytes]:
        self._over = not piece
        if self._layout is None:
            rest = [self._jpegs.rest()] if self._over else []
            return [*self._jpegs.feed(piece), *filter(None, rest)]
        self._buffer += piece
        size = self._layout.frame_bytes
        whole = len(self._buffer) // size * size
        frames = [bytes(self._buffer[at : at + size]) for at in range(0, whole, size)]
        del self._buffer[:whole]
        if self._over and self._buffer:
            frames.append(bytes(self._buffer))
        return frames

    def _decode(self, data: bytes) -> Image:
        if self._layout is None:
            return decode_picture(data, "a picture", max_pixels=self._options.max_pixels)
        if len(data) < self._layout.frame_bytes:
            raise ValueError(f"the last frame has {len(data)} of its {self._layout.frame_bytes} bytes")
        return self._layout.decode(data)
