"""Bias correction (Nagel et al., 2019): rounded weights shift a layer's mean output; its bias takes the shift back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.flat_graph import kernels

LEVELS = 127.0


def correct_biases(model: Any, pixels: NDArray[np.float32]) -> None:
    """Correct every kernel's bias of a flattened model, in place, by the mean inputs on `pixels` [n, h, w, depth].

    The mean is taken over the whole picture: at borders with padding it is a little off.
    """
    import keras

    nodes = list(kernels(model))
    taken = [node.input_tensors[0] for node in nodes]
    tensors = keras.Model(model.inputs, taken)(pixels, training=False)
    shifts = []
    for node, tensor in zip(nodes, tensors if len(nodes) > 1 else [tensors], strict=True):
        values = np.asarray(tensor, np.float64)
        shifts.append(_shift(node.operation, values.reshape(-1, values.shape[-1]).mean(axis=0)))
    for node, shift in zip(nodes, shifts, strict=True):
        bias = node.operation.bias
        bias.assign(np.asarray(bias, np.float64) - shift)


def _shift(layer: Any, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the layer's mean output moves when its kernel is rounded to int8, a scale for each channel."""
    import keras

    kernel = np.asarray(layer.kernel, np.float64)
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    flat = kernel.reshape(-1, kernel.shape[2] * kernel.shape[3]) if depthwise else kernel.reshape(-1, kernel.shape[-1])
    step = np.maximum(np.abs(flat).max(axis=0), 1e-12) / LEVELS
    error = (np.rint(flat / step) * step - flat).reshape(kernel.shape)
    if depthwise:
        return np.asarray((error.sum(axis=(0, 1)) * mean[:, np.newaxis]).reshape(-1))
    rows = error.reshape(-1, *error.shape[-2:]).sum(axis=0)
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return np.asarray(mean @ rows)
    parts = zip(np.split(mean, groups), np.split(rows, groups, axis=1), strict=True)
    return np.concatenate([part @ row for part, row in parts])
