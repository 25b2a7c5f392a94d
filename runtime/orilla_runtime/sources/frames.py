"""Buffers for frames: used again when nobody holds the picture any more, and never before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import cast

import numpy as np

from orilla_runtime.sources.base import Image

_KEPT = 64
_KEPT_BYTES = 128 * 1024 * 1024
"""A pool keeps no more buffers than it once lent at a time, and no more than these; of the largest frames, four."""
_FREE = 2
"""What `sys.getrefcount` says of a buffer that only the pool's list and the function's argument refer to."""


class FramePool:
    """Lends writable buffers, to be handed on as read-only views. Not thread-safe: one for each reading thread.

    A buffer counts as free when no array, view of a view, `memoryview` or tensor that shares its memory is left:
    numpy makes each of them refer to the buffer itself, so its count of references says so. A bare address
    (`array.ctypes.data`) keeps nothing alive, here as everywhere in numpy. Where all the pool's buffers are held, the
    next one is a new array that belongs to its holder alone; so a list of every frame of a video is possible, and
    freed like any other.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._buffers: list[Image] = []

    def fill(self, shape: tuple[int, ...] | None, read: Callable[[Image | None], tuple[bool, object]]) -> Image | None:
        """The picture that `read` writes into a buffer of this shape, read-only; None where there is none.

        `read` gets the buffer, or None where the shape is not known yet; it returns success and the array that it
        wrote to, which is another one where the buffer did not fit.
        """
        buffer = self._free(shape) if shape is not None else None
        done, found = read(buffer)
        if not done or not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.ndim != 3:
            return None
        picture = cast(Image, found)
        if picture is not buffer and picture.base is None:
            self._keep(picture)
        view = picture[:]
        view.setflags(write=False)
        return view

    def _free(self, shape: tuple[int, ...]) -> Image | None:
        for place in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[place]) == _FREE and self._buffers[place].shape == shape:
                return self._buffers[place]
        buffer = np.empty(shape, np.uint8)
        self._keep(buffer)
        return buffer

    def _keep(self, buffer: Image) -> None:
        if self._buffers and self._buffers[0].shape != buffer.shape:
            self._buffers.clear()
        if len(self._buffers) < min(self._kept, max(4, _KEPT_BYTES // max(1, buffer.nbytes))):
            self._buffers.append(buffer)
