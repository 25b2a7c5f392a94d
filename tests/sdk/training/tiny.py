"""A net small enough for many trainings, with every layer that training asks for, and pictures that it can learn."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from orilla.keras_backend import keras_and_tensorflow
from orilla.models import zoo
from orilla.models.recipe import TrainingRecipe

RECIPE = TrainingRecipe(epochs=3, learning_rate=1e-2, patience=10, batch_size=8, head_epochs=2)


def build_tiny(*, image_size: int, depth: int, classes: int, dropout: float = 0.2, normalized: bool = True) -> Any:
    """Two convolutions; without `normalized` raw pixels go in, and a high rate ruins it."""
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, depth), name="image")
    x = layers.Rescaling(1 / 128, -127 / 128, name="normalize")(image) if normalized else image
    x = layers.Conv2D(4, 3, padding="same", name="early_conv")(x)
    if normalized:
        x = layers.BatchNormalization(momentum=0.9, name="early_bn")(x)
    x = layers.Conv2D(8, 3, 2, activation="relu", name="late_conv")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x))


def build_raw(**options: Any) -> Any:
    """`build_tiny` on raw pixels."""
    return build_tiny(**options, normalized=False)


def keep_weights(_model: Any, _source: str) -> None:
    """The weights that the seed gave stand for pretrained ones."""


_SMALL = zoo.entry_of("small")
ENTRIES = {
    "tiny": dataclasses.replace(_SMALL, name="tiny", build=build_tiny, recipe=RECIPE),
    "raw": dataclasses.replace(_SMALL, name="raw", build=build_raw, recipe=RECIPE),
    "tiny_transfer": dataclasses.replace(
        _SMALL,
        name="tiny_transfer",
        build=build_tiny,
        recipe=RECIPE,
        load_weights=keep_weights,
        frozen_before="late_conv",
        fit="crop",
    ),
}


def draw_stripes(folder: Path, count: int = 40, side: int = 16) -> Path:
    """Noisy pictures of two classes, in turn: stripes that lie, and stripes that stand."""
    drawn = np.random.default_rng(0)
    for index in range(count):
        picture = drawn.integers(0, 120, (side, side, 3), np.uint8)
        name = ("lying", "standing")[index % 2]
        picture[::4] += 120 if name == "lying" else 0
        picture[:, ::4] += 120 if name == "standing" else 0
        path = folder / name / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
    return folder
