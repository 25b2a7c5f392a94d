"""Where a Keras net looked: Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow

LOGITS = "logits"
_TINY = 1e-12


def last_spatial_layer(model: Any) -> Any | None:
    """The last layer whose output is a map [n, height, width, channels] of more than one place; None without one."""
    for layer in reversed(model.layers):
        shape = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and all(isinstance(side, int) and side > 1 for side in shape[1:3]):
            return layer
    return None


def grad_cam(
    model: Any, pictures: NDArray[np.uint8], class_ids: Sequence[int] | NDArray[np.integer]
) -> NDArray[np.float32] | None:
    """How much each place speaks for a class, by the gradient of its logit in the last maps.

    Args:
        model: a `keras.Model` of one input of raw pixels. Without a layer `logits`, its output is taken for
            probabilities, and their logarithm for logits.
        pictures: input tensors, uint8 [n, height, width, depth].
        class_ids: one a picture.

    Returns:
        float32 [n, rows, columns], 0 to 1, of the size of the maps: the largest value of each picture is 1, or all are
        0 where nothing speaks for the class. None for a net without maps.
    """
    layer = last_spatial_layer(model)
    if layer is None:
        return None
    keras, tf = keras_and_tensorflow()
    named = [each for each in model.layers if each.name == LOGITS]
    inner = keras.Model(model.input, [layer.output, named[-1].output if named else model.output])
    with tf.GradientTape() as tape:
        maps, scores = inner(tf.cast(tf.constant(pictures), tf.float32), training=False)
        logits = scores if named else tf.math.log(tf.maximum(scores, _TINY))
        wanted = tf.reduce_sum(tf.gather(logits, np.asarray(class_ids, np.int64), batch_dims=1))
    gradient = tape.gradient(wanted, maps)
    if gradient is None:
        return None
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2), keepdims=True)
    found = np.maximum(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=3).numpy(), 0)
    highest = found.max(axis=(1, 2), keepdims=True)
    heat: NDArray[np.float32] = np.divide(found, highest, out=np.zeros_like(found), where=highest > 0)
    return heat
