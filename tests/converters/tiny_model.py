"""Makes the models that the converter tests convert: `python tiny_model.py FOLDER`, in a process of its own.

Writes the digits as PNG files in FOLDER/digits/LABEL/, a trained FOLDER/digits.keras without a card, and small models
that Orilla refuses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.datasets import load_digits

SIDE = 16
PICTURES = 600


def write_pictures(folder: Path) -> None:
    """The first digits, 16x16, grey spread over three channels by the reader."""
    digits = load_digits()
    for number in range(PICTURES):
        picture = np.round(digits.images[number] * (255 / 16)).astype(np.uint8)
        place = folder / f"digit {digits.target[number]}"
        place.mkdir(parents=True, exist_ok=True)
        enlarged = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(place / f"{number:04}.png"), enlarged)


def pixels_and_labels(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The pictures as float32 RGB of 0..255, and their classes."""
    paths = sorted(folder.glob("*/*.png"))
    pixels = np.stack([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths])
    return pixels.astype(np.float32), np.array([int(path.parent.name.split()[1]) for path in paths])


def network() -> keras.Model:
    """What Orilla's own models look like: raw pixels, Rescaling, depthwise blocks, logits, Softmax."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, -127 / 128)(image)
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.8)(x))
    y = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.8)(y))
    y = keras.layers.Conv2D(16, 1, use_bias=False)(y)
    x = keras.layers.Add()([x, keras.layers.BatchNormalization(momentum=0.8)(y)])
    x = keras.layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    logits = keras.layers.Dense(10, name="logits")(x)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(logits), name="tiny")


def write_refused(folder: Path) -> None:
    """Models that a conversion must refuse, each with its reason."""
    layers = keras.layers

    def scores(activation: str = "softmax") -> list[keras.Layer]:
        return [layers.GlobalAveragePooling2D(), layers.Dense(3, activation=activation)]

    refused = {
        "lambda": [keras.Input((8, 8, 3)), layers.Lambda(lambda x: x / 255), *scores()],
        "open_size": [keras.Input((None, None, 3)), layers.Rescaling(1 / 255), *scores()],
        "five_channels": [keras.Input((8, 8, 5)), layers.Rescaling(1 / 255), *scores()],
        "sigmoid": [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), *scores("sigmoid")],
        "no_scores": [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(3, 3)],
        "no_rescaling": [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), *scores()],
    }
    for name, stack in refused.items():
        keras.Sequential(stack).save(folder / f"{name}.keras")


def main(folder: Path) -> None:
    """Write everything; the same on every run."""
    keras.utils.set_random_seed(1)
    write_pictures(folder / "digits")
    pixels, labels = pixels_and_labels(folder / "digits")
    model = network()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    order = np.random.default_rng(0).permutation(len(pixels))
    for _ in range(12):
        model.fit(pixels[order], labels[order], batch_size=32, verbose=0)
    print("accuracy", float((model.predict(pixels, verbose=0).argmax(1) == labels).mean()))  # noqa: T201
    model.save(folder / "digits.keras")
    write_refused(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
