"""A camera that sends pictures and shows nothing: frozen, or covered."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.sources.base import Image

_LOOKS_A_SECOND = 4
_THUMBNAIL = 64  # Pixels along the longer side, taken and not averaged: an average would hide a sensor's noise.
_BLANK_LEVELS = 3.0


class PictureWatch:
    """Says once when pictures stay the same to the last bit, or show one flat tone, for `seconds`; None: never.

    A sensor's noise changes every picture, so identical ones come from an encoder or a driver that hangs. Covered means
    that the means of 8 x 8 areas differ by a standard deviation of less than 3 levels. A few looks a second are taken,
    each at a few thousand pixels.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._next_look = 0.0
        self._last: NDArray[np.uint8] | None = None
        self._since: dict[str, float] = {}
        self._said: set[str] = set()

    def look(self, image: Image, now: float) -> list[tuple[str, str]]:
        """What is to be told now: pairs of `frozen` or `covered` and the rest of a sentence. `now` in seconds."""
        if self._seconds is None or now < self._next_look:
            return []
        self._next_look = now + min(1 / _LOOKS_A_SECOND, self._seconds / 4)
        step = max(1, max(image.shape[:2]) // _THUMBNAIL)
        small = image[::step, ::step].copy()
        same = self._last is not None and np.array_equal(small, self._last)
        self._last = small
        told = []
        # A covered lens gives equal pictures too; it is told as what it is.
        for kind, holds in (("covered", _is_blank(small)), ("frozen", same and not _is_blank(small))):
            if not holds:
                self._since.pop(kind, None)
                self._said.discard(kind)
            elif now - self._since.setdefault(kind, now) >= self._seconds and kind not in self._said:
                self._said.add(kind)
                told.append((kind, _TEXTS[kind].format(self._seconds)))
        return told


_TEXTS = {
    "covered": "has shown one flat tone for {:g} seconds: the lens may be covered, or the light off",
    "frozen": "has sent the same picture for {:g} seconds: it is frozen",
}


def _is_blank(small: NDArray[np.uint8]) -> bool:
    tones = cv2.resize(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (8, 8), interpolation=cv2.INTER_AREA)
    return float(tones.std()) < _BLANK_LEVELS
