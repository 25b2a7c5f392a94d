"""MACs are counted as papers count them."""

from __future__ import annotations

import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models import zoo
from orilla.models.macs import macs


def test_each_kind_of_layer_is_counted() -> None:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((8, 8, 4))
    grouped = layers.Conv2D(6, 3, padding="same", groups=2)(image)
    assert macs(keras.Model(image, grouped)) == 8 * 8 * 6 * 9 * 2
    assert macs(keras.Model(image, layers.DepthwiseConv2D(3, 2, depth_multiplier=2)(image))) == 3 * 3 * 8 * 9
    nested = keras.Sequential([image, keras.Model(image, layers.Flatten()(grouped)), layers.Dense(5)])
    assert macs(nested) == 8 * 8 * 6 * 9 * 2 + 8 * 8 * 6 * 5


def test_the_figure_of_a_known_net() -> None:
    # 4.55 million: by hand from its shapes.
    by_hand = 30 * 30 * 32 * 27 + 13 * 13 * 64 * 288 + 4 * 4 * 64 * 576 + 1024 * 64 + 64 * 10
    assert macs(zoo.build("cifar_cnn", image_size=32, depth=3, classes=10)) == by_hand
    assert by_hand == pytest.approx(4.55e6, rel=1e-3)
