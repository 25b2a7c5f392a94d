"""How many multiplications with additions (MACs) one picture costs in a Keras model."""

from __future__ import annotations

import math
from typing import Any

from orilla.keras_backend import keras_and_tensorflow


def macs(model: Any) -> int:
    """Of one picture through `model`, whose sizes are all fixed.

    Convolutions and dense layers are counted, as papers do; normalization is folded into them when a model is
    converted, and activations cost little.
    """
    return sum(_of(layer) for layer in model._flatten_layers(include_self=False))


def _of(layer: Any) -> int:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    if isinstance(layer, layers.DepthwiseConv2D):
        return int(math.prod(layer.output.shape[1:]) * math.prod(layer.kernel_size))
    if isinstance(layer, layers.Conv2D):
        height, width, inputs, _ = layer.kernel.shape
        return int(math.prod(layer.output.shape[1:]) * height * width * inputs)
    if isinstance(layer, layers.Dense):
        return int(math.prod(layer.output.shape[1:]) * layer.kernel.shape[0])
    return 0
