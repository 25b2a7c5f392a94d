"""A small plain convolutional net for pictures of 8 to 96 pixels, trained from scratch in minutes on a CPU.

Chosen by accuracy against seconds of training, not against operators: see docs/decisions/0505-small-net.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.entry import ModelEntry
from orilla.models.recipe import Augmentation, TrainingRecipe

SCALE, OFFSET = 1 / 128, -127 / 128
STEM, WIDTHS = 24, (32, 64, 96)
LARGEST_MAP, SMALLEST_POOLED = 24, 6
"""Maps are halved by a stride until they are at most this wide, and pooled while they are at least that wide."""

# Runs are short: with Keras' 0.99 the moving averages lag and validation looks broken for many epochs.
_BN_MOMENTUM = 0.9


def build_small(
    *,
    image_size: int,
    depth: int,
    classes: int,
    dropout: float = 0.2,
    stem: int = STEM,
    widths: Sequence[int] = WIDTHS,
) -> Any:
    """A `keras.Model` with random weights.

    Input `image`: float32 [n, image_size, image_size, depth], pixels of 0..255. Output `probabilities`: float32
    [n, classes]. Layers `features` and `logits` as in every model of the zoo.
    """
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, depth), name="image")
    x = layers.Rescaling(SCALE, OFFSET, name="normalize")(image)
    # Maps as large as the picture would take most of the time; 8x8 digits would lose what tells them apart.
    stride = 2 if image_size >= 16 else 1
    x, side, reduced = _convolved(x, stem, stride, "stem"), -(-image_size // stride), 0
    while side > LARGEST_MAP:
        side, reduced = -(-side // 2), reduced + 1
        x = _convolved(x, stem, 2, f"reduce{reduced}")
    for place, width in enumerate(widths, 1):
        x = _convolved(x, width, 1, f"conv{place}")
        if place < len(widths) and side >= SMALLEST_POOLED:
            x, side = layers.MaxPooling2D(name=f"pool{place}")(x), side // 2
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="small")


def _convolved(x: Any, filters: int, stride: int, name: str) -> Any:
    # ReLU and not ReLU6: channels can then be equalized before they are quantized.
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=_BN_MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


ENTRIES = (
    ModelEntry(
        name="small",
        description="five or six convolutions of 3x3 with BatchNorm, from scratch, for pictures of 8 to 96 pixels",
        build=build_small,
        image_size=64,
        smallest=8,
        largest=512,
        channels=("rgb", "grey"),
        fit="stretch",
        recipe=TrainingRecipe(
            epochs=30,
            learning_rate=3e-3,
            patience=15,
            warm_up=0.1,
            augmentation=Augmentation(shift=0.1, rotation=10, zoom=0.1),
        ),
    ),
)
