"""A small residual net of depthwise-separable convolutions for pictures of 8 to 96 pixels, trained from scratch."""

from __future__ import annotations

from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.entry import ModelEntry
from orilla.models.recipe import Augmentation, TrainingRecipe

SCALE, OFFSET = 1 / 128, -127 / 128
WIDTH = 24
SMALLEST_MAP = 4
"""The net halves its maps while they stay at least this wide."""

# Runs are short: with Keras' 0.99 the moving averages lag and validation looks broken for many epochs.
_BN_MOMENTUM = 0.9


def build_small(*, image_size: int, depth: int, classes: int, dropout: float = 0.2, width: int = WIDTH) -> Any:
    """A `keras.Model` with random weights.

    Input `image`: float32 [n, image_size, image_size, depth], pixels of 0..255. Output `probabilities`: float32
    [n, classes]. Layers `features` and `logits` as in every model of the zoo.
    """
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, depth), name="image")
    x = layers.Rescaling(SCALE, OFFSET, name="normalize")(image)
    # A stride in the stem keeps larger pictures affordable; 8x8 digits would lose what tells them apart.
    side, stride = image_size, 2 if image_size >= 24 else 1
    x = _norm(layers.Conv2D(width, 3, stride, padding="same", use_bias=False, name="stem_conv")(x), "stem")
    side, filters, stage = -(-side // stride), width, 0
    while side >= 2 * SMALLEST_MAP:
        filters, side, stage = 2 * filters if stage else filters + filters // 2, -(-side // 2), stage + 1
        x = _separable(x, filters, 2, f"stage{stage}_reduce")
        x = layers.Add(name=f"stage{stage}_add")([x, _separable(x, filters, 1, f"stage{stage}_refine")])
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="small")


def _separable(x: Any, filters: int, stride: int, name: str) -> Any:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(momentum=_BN_MOMENTUM, name=f"{name}_depthwise_bn")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    return _norm(x, name)


def _norm(x: Any, name: str) -> Any:
    # ReLU and not ReLU6: channels can then be equalized before they are quantized.
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    x = layers.BatchNormalization(momentum=_BN_MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


ENTRIES = (
    ModelEntry(
        name="small",
        description="depthwise-separable residual net, from scratch, for pictures of 8 to 96 pixels",
        build=build_small,
        image_size=64,
        smallest=8,
        largest=512,
        channels=("rgb", "grey"),
        fit="stretch",
        recipe=TrainingRecipe(epochs=24, learning_rate=4e-3, patience=10, augmentation=Augmentation(shift=0.1)),
    ),
)
