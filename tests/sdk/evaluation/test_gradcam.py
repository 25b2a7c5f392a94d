"""Grad-CAM finds the place that decides, in every kind of net, and leaves nets without maps alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orilla.evaluation.gradcam import grad_cam, last_spatial_layer
from orilla.keras_backend import keras_and_tensorflow
from orilla.models import zoo


@pytest.fixture(scope="module")
def spots() -> Any:
    """A net made by hand: class 1 is a bright picture, so its logit grows where a picture is bright."""
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(1, 3, padding="same", use_bias=False, kernel_initializer="ones", name="conv")(image)
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(2, activation="softmax", name="out")(x))


def test_the_bright_spot_is_found(spots: Any) -> None:
    spots.get_layer("out").set_weights([np.array([[-0.001, 0.001]], np.float32), np.zeros(2, np.float32)])
    pictures = np.zeros((3, 16, 16, 1), np.uint8)
    pictures[0, 2:4, 12:14] = 255
    pictures[1, 10:12, 4:6] = 255
    assert last_spatial_layer(spots).name == "pool"
    heat = grad_cam(spots, pictures, [1, 1, 1])
    assert heat is not None
    assert heat.shape == (3, 8, 8)
    assert [np.unravel_index(one.argmax(), one.shape) for one in heat[:2]] == [(1, 6), (5, 2)]
    assert heat[:2].max(axis=(1, 2)).tolist() == [1, 1]
    assert not heat[2].any(), "in a black picture nothing speaks for brightness"
    against = grad_cam(spots, pictures, [0, 0, 0])
    assert against is not None
    assert not against.any()


NETS = [
    pytest.param(name, marks=pytest.mark.slow if entry.transfer else ()) for name, entry in sorted(zoo.MODELS.items())
]


@pytest.mark.parametrize("name", NETS)
def test_every_net_of_the_zoo_has_a_map(name: str) -> None:
    entry = zoo.MODELS[name]
    size = max(entry.smallest, 32)
    depth = 1 if entry.channels[0] == "grey" else 3
    model = zoo.build(name, image_size=size, depth=depth, classes=3)
    picture = np.random.default_rng(0).integers(0, 255, (1, size, size, depth), dtype=np.uint8)
    heat = grad_cam(model, picture, [2])
    assert heat is not None
    assert heat.ndim == 3
    assert 0 <= heat.min() <= heat.max() <= 1


def test_a_net_without_maps_has_none() -> None:
    keras, _ = keras_and_tensorflow()
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert grad_cam(model, np.zeros((1, 8, 8, 1), np.uint8), [0]) is None
