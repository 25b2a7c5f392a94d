"""Augmentation: each picture changed in each epoch in a way of its own that seed, epoch and place alone decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.models.recipe import Augmentation

Places = NDArray[np.int64]
Pixels = NDArray[np.uint8]
GREY = 127
"""What an erased square shows; the nets of the zoo take it for nothing."""

_AUGMENT = 2
_FLIP, _DOWN, _RIGHT, _TURN, _ZOOM, _BRIGHTNESS, _CONTRAST, _TOP, _LEFT, _DRAWS = range(10)
_LEVELS = np.arange(256, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Augment:
    """The change of one training: what may happen is said by `how`; `count` pictures are in the whole set."""

    seed: int
    how: Augmentation
    count: int

    def __call__(self, batch: Pixels, places: Places, epoch: int) -> Pixels:
        """uint8 [n, height, width, depth] to the same shape; `places` are those of the pictures in the set.

        First the mirror, then turn, zoom and shift in one step, then contrast and brightness, then the erased square.
        What comes in from outside repeats the border. Neither the batch around a picture nor the thread matters.
        """
        drawn = _drawn(self.seed, epoch, self.count)[places]
        changed = np.empty_like(batch)
        for row, draws in enumerate(drawn):
            changed[row] = self._moved(batch[row], draws).reshape(batch.shape[1:])
        if self.how.brightness or self.how.contrast:
            self._recolour(changed, drawn)
        if self.how.erase:
            self._erase(changed, drawn)
        return changed

    def _moved(self, picture: Any, draws: NDArray[np.float32]) -> Any:
        how, (height, width) = self.how, picture.shape[:2]
        if how.flip and draws[_FLIP] < 0.5:
            picture = cv2.flip(picture, 1)
        down, right = _pixels(draws[_DOWN], height * how.shift), _pixels(draws[_RIGHT], width * how.shift)
        if not (how.rotation or how.zoom):
            return _shifted(picture, down, right)
        scale = (1 + how.zoom) ** _signed(draws[_ZOOM])
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, how.rotation * _signed(draws[_TURN]), scale)
        matrix[:, 2] += right, down
        return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _recolour(self, batch: Pixels, drawn: NDArray[np.float32]) -> None:
        factors = 1 + self.how.contrast * (2 * drawn[:, _CONTRAST] - 1)
        added = 255 * self.how.brightness * (2 * drawn[:, _BRIGHTNESS] - 1)
        for picture, factor, more in zip(batch, factors, added, strict=True):
            mean = picture.mean(dtype=np.float32)
            table = np.clip(np.rint((_LEVELS - mean) * factor + mean + more), 0, 255).astype(np.uint8)
            picture[...] = cv2.LUT(picture, table).reshape(picture.shape)

    def _erase(self, batch: Pixels, drawn: NDArray[np.float32]) -> None:
        height, width = batch.shape[1:3]
        tall, wide = max(1, round(height * self.how.erase)), max(1, round(width * self.how.erase))
        for picture, draws in zip(batch, drawn, strict=True):
            top, left = int(draws[_TOP] * (height - tall + 1)), int(draws[_LEFT] * (width - wide + 1))
            picture[top : top + tall, left : left + wide] = GREY


@lru_cache(maxsize=2)
def _drawn(seed: int, epoch: int, count: int) -> NDArray[np.float32]:
    """Numbers of 0 to 1 for every picture of the set, also those that are not trained on: a place has its own row."""
    return np.random.default_rng((_AUGMENT, seed, epoch)).random((count, _DRAWS), np.float32)


def _signed(draw: np.float32) -> float:
    """-1 to 1."""
    return 2 * float(draw) - 1


def _pixels(draw: np.float32, reach: float) -> int:
    """A whole number of pixels up to `reach` either way: parts of a pixel would blur."""
    most = round(reach)
    return math.floor(float(draw) * (2 * most + 1)) - most


def _shifted(picture: Any, down: int, right: int) -> Any:
    if not (down or right):
        return picture
    height, width = picture.shape[:2]
    edges = (max(down, 0), max(-down, 0), max(right, 0), max(-right, 0))
    padded = cv2.copyMakeBorder(picture, *edges, cv2.BORDER_REPLICATE)
    top, left = max(-down, 0), max(-right, 0)
    return padded[top : top + height, left : left + width]
