"""The quickstart's pictures: real handwritten digits that scikit-learn ships, as a folder with a subfolder a class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.files import replaced
from orilla_runtime.sources.picture import read_picture

SIDE = 64
FRAMES_PER_DIGIT = 10
FRAMES_PER_SECOND = 10


def write_digits(folder: Path) -> int:
    """Write 1,797 digits as PNG files of 64x64 pixels, white on black, and give their number.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", _enlarged(image))[1].tobytes())
    return len(digits.images)


def _enlarged(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """From 8x8 values of 0..16 to a picture that a person can read."""
    grey = np.clip(image * (255 / 16), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_video(pictures: list[Path], target: Path) -> int:
    """Write a Motion JPEG video that shows each picture for a second, and give its number of frames."""
    with replaced(target) as part:
        writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"MJPG"), FRAMES_PER_SECOND, (SIDE, SIDE))
        for picture in pictures:
            frame = read_picture(picture)
            for _ in range(FRAMES_PER_DIGIT):
                writer.write(frame)
        writer.release()
    return len(pictures) * FRAMES_PER_DIGIT
