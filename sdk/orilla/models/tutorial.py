"""The small CNNs that tutorials build and train, as they build and train them: a yardstick, and a first net.

Convolutions of 3x3 without padding, each of the first two with a pool behind it, then two dense layers. The pixels are
divided by 255; there is no normalization of batches, no dropout and no augmentation unless asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.entry import ModelEntry
from orilla.models.recipe import TrainingRecipe
from orilla_runtime.preprocess import Channels

SCALE = 1 / 255
POOLED = 2
"""So many of the convolutions are followed by a pool."""


def build_tutorial(
    *,
    filters: Sequence[int],
    units: int,
    name: str,
    image_size: int,
    depth: int,
    classes: int,
    dropout: float = 0.0,
) -> Any:
    """A `keras.Model` with random weights: a convolution for each of `filters`, then `units` and `classes`.

    Input `image`: float32 [n, image_size, image_size, depth], pixels of 0..255. Output `probabilities`: float32
    [n, classes]. Layers `features` (the first dense one) and `logits` as in every model of the zoo.
    """
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((image_size, image_size, depth), name="image")
    x = layers.Rescaling(SCALE, name="normalize")(image)
    for place, width in enumerate(filters, 1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{place}")(x)
        if place <= POOLED:
            x = layers.MaxPooling2D(name=f"pool{place}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, activation="relu", name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name=name)


def _recipe(epochs: int) -> TrainingRecipe:
    # A tutorial trains for as many epochs as it says, at one rate.
    return TrainingRecipe(
        epochs=epochs, learning_rate=1e-3, patience=epochs, schedule="constant", warm_up=0.0, dropout=0.0
    )


def _entry(
    name: str,
    description: str,
    filters: tuple[int, ...],
    units: int,
    *,
    image_size: int,
    smallest: int,
    channels: tuple[Channels, ...],
    epochs: int,
) -> ModelEntry:
    return ModelEntry(
        name=name,
        description=description,
        build=partial(build_tutorial, filters=filters, units=units, name=name),
        image_size=image_size,
        smallest=smallest,
        largest=128,
        channels=channels,
        fit="stretch",
        recipe=_recipe(epochs),
    )


_DEEP = (32, 64, 64)

ENTRIES = (
    _entry(
        "mnist_cnn",
        "a tutorial's first CNN: one convolution of 32, a pool, 128 units",
        (32,),
        128,
        image_size=28,
        smallest=8,
        channels=("grey", "rgb"),
        epochs=12,
    ),
    _entry(
        "mnist_cnn_deep",
        "a tutorial's CNN: convolutions of 32, 64 and 64, two pools, 64 units",
        _DEEP,
        64,
        image_size=28,
        smallest=18,
        channels=("grey", "rgb"),
        epochs=12,
    ),
    _entry(
        "cifar_cnn",
        "the same CNN for colour pictures of 32 pixels",
        _DEEP,
        64,
        image_size=32,
        smallest=18,
        channels=("rgb", "grey"),
        epochs=20,
    ),
)
