"""Drawn pictures in place of photos: smooth blobs with grain, of all brightnesses, so that features differ."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def draw(count: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.uint8]:
    """uint8 [count, height, width, depth]; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    return np.stack([_picture(rng, shape) for _ in range(count)])


def _picture(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    height, width, depth = shape
    cells = int(rng.integers(2, 9))
    coarse = rng.uniform(0, 1, (cells, cells, depth)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(shape)
    grain = rng.normal(0, rng.uniform(0, 0.15), shape)
    low, high = np.sort(rng.uniform(-0.2, 1.2, 2))
    levels = low + (high - low) * (smooth + grain)
    picture: NDArray[np.uint8] = (np.clip(levels, 0, 1) * 255).round().astype(np.uint8)
    return picture
