"""Jobs for `test_equalization.py`: Keras stays in workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.equalization import equalize, pairs_of
from orilla_converters.flat_graph import flattened

CLIPPED, SMALL = 0, 1
"""A channel of `depthwise` that its ReLU6 clips, and one a thousandth of the others."""


def through_relu6(_parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Equalize a net with ReLU6: the pairs, by how much each channel was scaled, how far the output moved."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.ReLU(6.0)(layers.Conv2D(6, 1, name="pointwise")(image))
    x = layers.Activation("relu6")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="last")(x))
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    bias = np.zeros(6)
    bias[CLIPPED] = 10.0
    model.get_layer("depthwise").bias.assign(bias)
    scale = np.ones(6)
    scale[SMALL] = 1e-3
    for name, factor in (("depthwise", scale), ("last", 1 / scale)):
        kernel = model.get_layer(name).kernel
        kernel.assign(np.asarray(kernel) * factor.reshape(1, 1, -1, 1))

    pixels = np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 3)).astype(np.float32)
    before = np.asarray(model(pixels))
    flat = flattened(model)
    pairs = pairs_of(keras, flat, pixels)
    equalize(pairs)
    return {
        "pairs": [[pair.first.name, pair.second.name] for pair in pairs],
        "scaled": (flat.get_layer("depthwise").bias.numpy()[CLIPPED] / 10.0).item(),
        "spread": _spread(model, "depthwise"),
        "spread_after": _spread(flat, "depthwise"),
        "moved": float(np.abs(np.asarray(flat(pixels)) - before).max() / np.ptp(before)),
    }


def _spread(model: Any, name: str) -> float:
    """The largest channel of a depthwise kernel over the smallest; of those that are not clipped."""
    most = np.abs(np.asarray(model.get_layer(name).kernel)).max(axis=(0, 1, 3))[CLIPPED + 1 :]
    return float(most.max() / most.min())
