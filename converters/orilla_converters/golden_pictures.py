"""The full-size picture of a self-test: a real one, made smaller where it is large, or a drawn one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.sources.picture import read_picture

LONGEST_SIDE = 640
"""A picture is stored as PNG, and a photo of 640 pixels is about half a megabyte."""


def real_picture(path: Path) -> NDArray[np.uint8]:
    """The picture, uint8 BGR, its longest side at most `LONGEST_SIDE`."""
    picture = read_picture(path)
    longest = max(picture.shape[:2])
    if longest > LONGEST_SIDE:
        columns, rows = (max(1, round(side * LONGEST_SIDE / longest)) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return picture


def drawn_picture(number: int) -> NDArray[np.uint8]:
    """A picture of nothing, uint8 BGR: shades, blobs and a little noise; the same everywhere for a number."""
    random = np.random.default_rng(number)
    rows, columns = 240, 320
    down, across = np.mgrid[0:rows, 0:columns]
    canvas = np.empty((rows, columns, 3), np.float64)
    for channel in range(3):
        slope = random.uniform(-0.5, 0.5, 2)
        canvas[:, :, channel] = random.uniform(60, 190) + slope[0] * (down - 120) + slope[1] * (across - 160)
    for _ in range(6):
        y, x, radius = random.uniform(0, rows), random.uniform(0, columns), random.uniform(15, 70)
        inside = (down - y) ** 2 + (across - x) ** 2 < radius**2
        canvas[inside] = random.uniform(0, 255, 3)
    canvas += random.normal(0, 6, canvas.shape)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
