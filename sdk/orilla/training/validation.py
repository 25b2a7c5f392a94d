"""How good a model is on the validation pictures after an epoch.

Not Keras' `evaluate`: over several devices it fails on batches that they cannot share evenly, and it has no accuracy
that counts classes alike beside one that counts pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from orilla.data.feed import Feed
from orilla.keras_backend import keras_and_tensorflow


@dataclass(frozen=True, slots=True)
class Validated:
    """loss: mean cross-entropy in nats. accuracy: of pictures. balanced: mean over the classes that have pictures."""

    loss: float
    accuracy: float
    balanced: float


class Validation:
    """The pictures of one feed and the model, whose output are logits."""

    def __init__(self, model: Any, feed: Feed) -> None:
        _, tf = keras_and_tensorflow()
        self._classes = int(feed.class_ids.max()) + 1
        self._batches = feed.in_order()
        self._forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)

    def __call__(self) -> Validated:
        """One pass over all pictures."""
        loss = 0.0
        right, count = np.zeros(self._classes), np.zeros(self._classes)
        for batch, truth in self._batches:
            logits = np.asarray(self._forward(batch), np.float64)
            classes = truth.numpy()
            logits -= logits.max(axis=1, keepdims=True)
            chosen = logits[np.arange(len(classes)), classes]
            loss += float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())
            count += np.bincount(classes, minlength=self._classes)
            right += np.bincount(classes[logits.argmax(axis=1) == classes], minlength=self._classes)
        present = count > 0
        pictures = count.sum()
        return Validated(
            loss=loss / float(pictures),
            accuracy=float(right.sum() / pictures),
            balanced=float((right[present] / count[present]).mean()),
        )
