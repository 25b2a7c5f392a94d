"""A Keras model run over batches of pixels, without training's changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow


def outputs(model: Any, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
    """For each uint8 batch [n, height, width, depth] of raw pixels, the model's output as float32 [n, …]."""
    _, tf = keras_and_tensorflow()
    waiting = iter(batches)
    first = next(waiting, None)
    if first is None:
        return
    # Traced once for any number of pictures; a function that traces when it is called warns when many models are run.
    forward = tf.function(lambda batch: model(tf.cast(batch, tf.float32), training=False)).get_concrete_function(
        tf.TensorSpec((None, *first.shape[1:]), tf.uint8)
    )
    for batch in chain([first], waiting):
        yield forward(tf.constant(batch)).numpy()
