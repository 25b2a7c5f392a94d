"""What Keras itself says of the judged pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.source import open_source
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.errors import ConversionError

BATCH = 32


def reference_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: the model's probabilities for `parameters["tensors"]`; the value is the path of a float32 [n, classes] .npy.

    The model is asked as it was saved, not by its core: what was taken apart is judged too.
    """
    import tensorflow as tf

    source = open_source(parameters)
    pictures = TensorFile.from_json(parameters["tensors"]).open()
    call = tf.function(lambda pixels: source.model(pixels, training=False), reduce_retracing=True)
    scores = [
        np.asarray(call(tf.constant(pictures[start : start + BATCH], tf.float32)), np.float32)
        for start in range(0, len(pictures), BATCH)
    ]
    found = np.concatenate(scores)
    if not np.isfinite(found).all():
        raise ConversionError(f"{parameters['model']} gives values that are not finite.", "Train the model again.")
    path = folder / "reference.npy"
    np.save(path, probabilities(found) if source.head == "logits" else found)
    return {"path": str(path)}


def probabilities(logits: Any) -> Any:
    """Softmax, float32 [n, classes]."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
