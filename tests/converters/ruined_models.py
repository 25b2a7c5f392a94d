"""Makes models that int8 ruins: `python ruined_models.py FOLDER`, in a process of its own, after `tiny_model.py`.

One small net is trained on FOLDER/digits and then rescaled in two ways that leave its float function as it is:
FOLDER/scaled.keras has channels of its depthwise layers times powers of ten, which equalization undoes;
FOLDER/outlier.keras has one channel of its residual trunk times a thousand, which equalization cannot undo.
FOLDER/sound.keras is the net itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model import SIDE, pixels_and_labels

OUTLIER = 1000.0
BLOCKS = ((32, 1), (64, 2), (384, 1), (512, 1))
"""Channels and stride of each; wide enough that the weights, and not their scales, make up the file."""


def network() -> keras.Model:
    """ReLU throughout: a stem, one residual block, three plain depthwise blocks, logits, softmax."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, -127 / 128)(image)
    x = trunk = _block(x, keras.layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem"))
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        depthwise = keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"dw{number}")
        pointwise = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"pw{number}")
        x = _block(_block(x, depthwise), pointwise, relu=number > 1)
        if number == 1:
            x = keras.layers.Add(name="add")([trunk, x])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(10, name="logits")(x)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(logits), name="net")


def _block(x: object, layer: keras.layers.Layer, *, relu: bool = True) -> object:
    x = keras.layers.BatchNormalization(momentum=0.8, name=f"{layer.name}_bn")(layer(x))
    return keras.layers.ReLU(name=f"{layer.name}_relu")(x) if relu else x


def scale_output(model: keras.Model, name: str, scale: np.ndarray) -> None:
    """Scale the channels that a convolution gives, behind its batch normalization."""
    norm = model.get_layer(f"{name}_bn")
    norm.gamma.assign(norm.gamma * scale)
    norm.beta.assign(norm.beta * scale)


def scale_input(model: keras.Model, name: str, scale: np.ndarray) -> None:
    """Let a convolution take channels that are scaled as if they were not."""
    kernel = model.get_layer(name).kernel
    kernel.assign(kernel / np.reshape(scale, (1, 1, -1, 1)))


def ruin_depthwise(model: keras.Model) -> None:
    """Each channel of a depthwise layer times ten to the power of -2 to 2."""
    random = np.random.default_rng(0)
    for number in range(1, len(BLOCKS) + 1):
        channels = model.get_layer(f"dw{number}").kernel.shape[2]
        scale = 10 ** random.uniform(-2, 2, channels)
        scale_output(model, f"dw{number}", scale)
        scale_input(model, f"pw{number}", scale)


def ruin_trunk(model: keras.Model) -> None:
    """One channel of the trunk a thousand times what the others are; an Add reads it, so that no pair can share it."""
    scale = np.ones(32)
    scale[5] = OUTLIER
    for name in ("stem", "pw1"):
        scale_output(model, name, scale)
    for name in ("dw1", "dw2"):
        scale_input(model, name, scale)


def main(folder: Path) -> None:
    """Train, rescale, check that the function stayed, save."""
    keras.utils.set_random_seed(1)
    pixels, labels = pixels_and_labels(folder / "digits")
    model = network()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pixels, labels, batch_size=32, epochs=4, verbose=0)
    model.save(folder / "sound.keras")
    weights, expected = model.get_weights(), model.predict(pixels, verbose=0)
    print("accuracy", float((expected.argmax(1) == labels).mean()))  # noqa: T201
    for name, ruin in (("scaled", ruin_depthwise), ("outlier", ruin_trunk)):
        model.set_weights(weights)
        ruin(model)
        assert np.abs(model.predict(pixels, verbose=0) - expected).max() < 1e-4
        model.save(folder / f"{name}.keras")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
