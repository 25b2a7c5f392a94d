"""The tutorials' CNNs are what the tutorials build, and are trained as they train them."""

from __future__ import annotations

import numpy as np
import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models import zoo
from orilla.models.inference import outputs


@pytest.mark.parametrize(
    ("name", "filters", "units", "shape"),
    [
        ("mnist_cnn", (32,), 128, (28, 28, 1)),
        ("mnist_cnn_deep", (32, 64, 64), 64, (28, 28, 1)),
        ("cifar_cnn", (32, 64, 64), 64, (32, 32, 3)),
    ],
)
def test_it_computes_what_the_tutorials_lines_compute(
    name: str, filters: tuple[int, ...], units: int, shape: tuple[int, int, int]
) -> None:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    model = zoo.build(name, image_size=shape[0], depth=shape[2], classes=10)
    lines = keras.Sequential([keras.Input(shape)])
    for place, width in enumerate(filters):
        lines.add(layers.Conv2D(width, (3, 3), activation="relu"))
        if place < 2:
            lines.add(layers.MaxPooling2D((2, 2)))
    lines.add(layers.Flatten())
    lines.add(layers.Dense(units, activation="relu"))
    lines.add(layers.Dense(10, activation="softmax"))
    assert model.count_params() == lines.count_params()
    lines.set_weights(model.get_weights())
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    (scores,) = outputs(model, [pictures])
    np.testing.assert_allclose(scores, lines(pictures.astype(np.float32) / 255).numpy(), atol=1e-5)
    assert model.get_layer("features").output.shape == (None, units)
    assert [layer.name for layer in model.layers[-3:]] == ["dropout", "logits", "probabilities"]


@pytest.mark.parametrize(
    ("name", "size", "depth"), [("mnist_cnn", 8, 3), ("mnist_cnn_deep", 18, 3), ("cifar_cnn", 18, 1)]
)
def test_the_smallest_pictures_go_through(name: str, size: int, depth: int) -> None:
    assert zoo.entry_of(name).smallest == size
    assert zoo.build(name, image_size=size, depth=depth, classes=2).output.shape == (None, 2)


def test_the_recipe_of_the_cifar_tutorial() -> None:
    recipe = zoo.entry_of("cifar_cnn").recipe
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.learning_rate) == (20, 32, "adam", 1e-3)
    assert (recipe.schedule, recipe.warm_up, recipe.dropout, recipe.patience) == ("constant", 0.0, 0.0, 20)
    assert not recipe.augmentation.changes
