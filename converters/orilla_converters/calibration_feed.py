"""The calibration pictures as a model's core takes them, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from orilla_converters.source import Normalization
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.errors import ConversionError

EXTREMES = 2
"""The most pictures that are added to a sample: a black and a white one."""


def calibration_tensors(sample: TensorFile, normalization: Normalization) -> Iterator[Any]:
    """The sample as the core takes it, float32, one picture at a time.

    The input's range must be that of all 256 pixel values, or the raw byte would not be the quantized input. Where the
    pictures do not span it, a black and a white one are added.

    Raises:
        ConversionError: no pictures.
    """
    if not len(sample):
        raise ConversionError("There are no pictures to calibrate on.", "Give --data with pictures.")
    lowest, highest = 255, 0
    for picture in sample:
        lowest, highest = min(lowest, int(picture.min())), max(highest, int(picture.max()))
        yield normalized(picture[np.newaxis], normalization)
    for missing, level in ((lowest > 0, 0), (highest < 255, 255)):
        if missing:
            yield normalized(np.full((1, *sample.shape[1:]), level, np.uint8), normalization)


def normalized(pixels: Any, normalization: Normalization) -> Any:
    """Raw pixels as the core takes them, float32."""
    return pixels.astype(np.float32) * np.float32(normalization.scale) + np.float32(normalization.offset)
