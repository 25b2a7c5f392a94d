"""RTSP by OpenCV's FFmpeg; to be used in a process of its own, because it cannot be interrupted."""

from __future__ import annotations

import os
import time
from functools import partial

import cv2

from orilla_runtime.sources.address import Address
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.frames import FramePool
from orilla_runtime.sources.options import SourceOptions

_MISSES = 5  # Reads in a row that may fail before the stream counts as ended: one packet may be damaged.


class RtspConnection:
    """One RTSP stream; implements `Connection`.

    Over TCP, so that no packet is lost on the way, and with FFmpeg's own queues off. `open` sets variables of this
    process's environment, where OpenCV looks for FFmpeg's options and OpenSSL for its certificates.
    """

    def __init__(self, address: Address, options: SourceOptions) -> None:
        self._address = address
        self._options = options
        self._capture: cv2.VideoCapture | None = None
        self._pool = FramePool()
        self._shape: tuple[int, ...] | None = None

    def open(self) -> None:
        """Connect; the time limits are FFmpeg's. Raises Lost."""
        settings = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"
        if self._address.scheme == "rtsps" and not self._options.insecure:
            settings += "|tls_verify;1"
            _trust_what_python_trusts()
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = settings
        milliseconds = int(min(self._options.timeout_seconds * 1000, 2**31 - 1))
        self._capture = cv2.VideoCapture(
            self._address.with_credentials(),
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds],
        )
        if not self._capture.isOpened():
            raise Lost("does not answer")
        height, width = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        self._require_size(height, width)

    def read(self) -> Arrival:
        """The next frame. Raises Lost."""
        assert self._capture is not None
        for _ in range(_MISSES):
            if not self._capture.grab():
                continue
            started = time.perf_counter_ns()
            image = self._pool.fill(self._shape, self._capture.retrieve)
            if image is not None:
                self._require_size(*image.shape[:2])
                self._shape = image.shape
                return arrival(partial(_same, image), spent_ns=time.perf_counter_ns() - started)
        raise Lost("closed the connection, or does not answer")

    def _require_size(self, height: float, width: float) -> None:
        if height * width > self._options.max_pixels:
            raise Lost(
                f"sends frames of {width:.0f}x{height:.0f} pixels, more than the limit of "
                f"{self._options.max_pixels / 1e6:g} megapixels"
            )

    def abort(self) -> None:
        """Nothing: FFmpeg waits until its time is over."""

    def close(self) -> None:
        """Release the stream."""
        if self._capture is not None:
            self._capture.release()


def _trust_what_python_trusts() -> None:
    """The OpenSSL inside OpenCV was built elsewhere, and looks for certificates where this system may have none."""
    import ssl

    places = ssl.get_default_verify_paths()
    for name, place in (("SSL_CERT_FILE", places.cafile), ("SSL_CERT_DIR", places.capath)):
        if place:
            os.environ.setdefault(name, place)


def _same(image: Image) -> Image:
    return image
