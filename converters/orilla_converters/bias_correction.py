"""Bias correction (Nagel et al., 2019): rounded weights shift a layer's mean output; its bias takes the shift back.

What a layer reads is seldom zero on average, behind a ReLU never: the errors of its rounded weights then add up to the
same shift in every place of every picture. It is known before anything is quantized.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.flat_graph import flattened_with_norms, kernels

LEVELS = 127.0
PICTURES = 64
"""Of the calibration sample: a mean needs no more."""


def correct_biases(core: Any, feeds: Iterator[Any], count: int, but: Collection[str] = ()) -> list[str]:
    """Correct the biases of a Keras core, in place, for kernels that will be rounded to int8; the layers' names.

    A bias stands in the layer or in the batch normalization behind it. A layer without either stays as it is, and so
    does a core whose layers cannot be taken apart.

    feeds: the `count` calibration samples as the core takes them, one at a time. but: layers that stay in float.
    """
    import keras

    try:
        flat, norms = flattened_with_norms(core)
    except Exception:
        # A model of any make: frozen functions, layers with code of their own.
        return []
    known = {keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense}
    names = Counter(layer.name for layer in core._flatten_layers())
    layers = {layer.name: layer for layer in core._flatten_layers() if names[layer.name] == 1}
    nodes = [node for node in kernels(flat) if type(node.operation) in known and node.operation.name not in but]
    corrected = []
    for node, shift in zip(nodes, _shifts(flat, nodes, islice(feeds, 0, None, max(1, count // PICTURES))), strict=True):
        name = node.operation.name
        holder = layers.get(norms.get(name, name))
        bias = getattr(holder, "beta" if name in norms else "bias", None)
        if bias is not None:
            bias.assign(np.asarray(bias, np.float64) - shift)
            corrected.append(name)
    return corrected


def _shifts(flat: Any, nodes: list[Any], feeds: Iterable[Any]) -> list[NDArray[np.float64]]:
    """For each node by how much every channel moves on average when its kernel is rounded.

    The layer itself tells, with the errors of its weights in place of them; one sample at a time, so that memory does
    not grow.
    """
    import keras
    import tensorflow as tf

    if not nodes:
        return []
    model = keras.Model(flat.inputs, [_errors(node) for node in nodes])

    @tf.function  # type: ignore[untyped-decorator]
    def means(tensors: Any) -> list[Any]:
        values = keras.tree.flatten(model(tensors, training=False))
        return [tf.reduce_mean(value, list(range(len(value.shape) - 1))) for value in values]

    found = [[np.asarray(mean, np.float64) for mean in means(feed)] for feed in feeds]
    return [np.mean(rows, axis=0) for rows in zip(*found, strict=True)]


def _errors(node: Any) -> Any:
    """What the node's layer gives with the errors of its weights in place of them, a scale for each channel."""
    import keras

    layer = node.operation
    copy = layer.__class__.from_config(layer.get_config() | {"name": f"{layer.name}_errors"})
    given = copy(node.input_tensors[0])
    kernel = np.asarray(layer.kernel, np.float64)
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    shared = (0, 1) if depthwise else tuple(range(kernel.ndim - 1))
    step = np.maximum(np.abs(kernel).max(axis=shared, keepdims=True), 1e-12) / LEVELS
    copy.set_weights([np.rint(kernel / step) * step - kernel, np.zeros(layer.bias.shape)])
    return given
