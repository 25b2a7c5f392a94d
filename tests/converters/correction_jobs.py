"""Jobs for `test_bias_correction.py`: Keras stays in workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.bias_correction import correct_biases

SHAPE = (12, 12, 3)


def network(keras: Any, *, bare: bool) -> Any:
    """Every kind of kernel, padding and strides; two layers are `bare` of any bias or have one of either kind.

    Linear, so that the mean of what a layer gives hangs on nothing but the mean of what it reads.
    """
    layers = keras.layers
    image = keras.Input(SHAPE)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(8, 1, groups=2, use_bias=False, name="grouped")(x)
    x = layers.BatchNormalization(center=not bare, name="grouped_bn")(x)
    x = layers.Conv2D(12, 1, use_bias=not bare, name="pointwise")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def correct(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """How far the mean of each layer's output is from float, for rounded kernels, before and after the correction."""
    import keras

    keras.utils.set_random_seed(0)
    model = network(keras, bare=parameters["bare"])
    random = np.random.default_rng(0)
    norm = model.get_layer("stem_bn")
    norm.set_weights([random.uniform(0.5, 2, 8), *random.normal(0, 0.3, (2, 8)), random.uniform(0.5, 2, 8)])
    samples = [random.uniform(0, 1, (1, *SHAPE)).astype(np.float32) for _ in range(6)]

    def feeds() -> Iterator[Any]:
        yield from samples

    wanted = means(keras, model, samples)
    plain = keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    names = correct_biases(model, feeds(), len(samples), parameters["but"])
    found = {}
    for name, other in (("plain", plain), ("corrected", model)):
        round_kernels(other)
        moved = np.abs(means(keras, other, samples) - wanted)
        found[name] = float(moved.mean())
    return {"layers": names, **found}


def means(keras: Any, model: Any, samples: list[Any]) -> Any:
    """The mean logits."""
    return np.mean([np.asarray(model(sample, training=False)) for sample in samples], axis=(0, 1))


def round_kernels(model: Any) -> None:
    """To eight bits with a scale for each channel that is given, as the quantizers do."""
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel = np.asarray(layer.kernel, np.float64)
            axes = (0, 1) if type(layer).__name__ == "DepthwiseConv2D" else tuple(range(kernel.ndim - 1))
            step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
            layer.kernel.assign(np.rint(kernel / step) * step)
