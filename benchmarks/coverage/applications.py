"""The networks of `keras.applications`, with our normalization in front and our classes behind."""

from __future__ import annotations

from typing import Any

from benchmarks.coverage.networks import classifier
from benchmarks.coverage.registry import CLASSES


def application(name: str, side: int, *, rescaling: bool) -> Any:
    """`rescaling`: ours, to -1..1; without it the network brings its own."""
    import keras

    image = keras.Input((side, side, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image) if rescaling else image
    build = getattr(keras.applications, name)
    core = build(include_top=False, weights=None, input_tensor=x, input_shape=(side, side, 3), pooling="avg")
    return classifier(image, core.output, CLASSES, name.lower())
