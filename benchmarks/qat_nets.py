"""The nets of the benchmark of quantization-aware fine-tuning, and the pictures that train and judge them."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.imagenet import unpack
from benchmarks.mobilenet import PREPROCESS, mobilenet_job
from benchmarks.results import test_data
from orilla.models.small import build_small
from orilla_converters.source import KerasSource, open_source
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

NETS = ("resnet8", "small", "mobilenet")
BATCH = 64
SMALL_EPOCHS, SMALL_RATE = 16, 4e-3
PHOTOS = 300
"""Of 500 ImageNet photos; the others judge."""
_SHIFT = 4


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """`pixels`: uint8 [n, height, width, 3]. `truth`: class ids int64 [n]."""

    pixels: NDArray[np.uint8]
    truth: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Net:
    """`parameters`: as `open_source` takes them. `own_scores`: fine-tuned to what the float net itself says of the
    pictures, for want of labelled ones. epochs, rate: of fine-tuning; the rate falls to 0 along a cosine."""

    name: str
    title: str
    parameters: dict[str, Any]
    train: Pictures
    test: Pictures
    epochs: int
    rate: float
    batch: int = BATCH
    seeds: int = 3
    own_scores: bool = False

    def open(self) -> KerasSource:
        """The float net in its parts; a new copy at each call."""
        return open_source(self.parameters)


def net_of(name: str, folder: Path) -> Net:
    """Load, and where it must be train, a net."""
    if name == "mobilenet":
        return _mobilenet(folder)
    train, test = _cifar("train"), _cifar("test")
    if name == "resnet8":
        model = test_data() / "models" / "pretrainedResnet.h5"
        parameters = {"model": str(model), "normalization": [1.0, 0.0]}
        return Net(name, "ResNet8 of MLCommons Tiny, CIFAR-10", parameters, train, test, epochs=2, rate=3e-5)
    path = folder / "small.keras"
    _train_small(train).save(path)
    return Net(name, "small, depthwise, CIFAR-10", {"model": str(path)}, train, test, epochs=4, rate=3e-4)


def _cifar(part: str) -> Pictures:
    with np.load(test_data() / "cifar10_subset.npz") as archive:
        data, places, labels = (archive[f"{part}_{name}"] for name in ("jpeg", "offsets", "labels"))
    found: list[Any] = [cv2.imdecode(data[start:end], cv2.IMREAD_COLOR_RGB) for start, end in pairwise(places)]
    return Pictures(np.stack(found).astype(np.uint8), labels.astype(np.int64))


def _train_small(train: Pictures) -> Any:
    keras.utils.set_random_seed(0)
    model = build_small(image_size=32, depth=3, classes=10)
    data = batches(train.pixels.astype(np.float32), train.truth, BATCH, shift=True)
    model.compile(
        optimizer(SMALL_RATE, SMALL_EPOCHS * len(data)), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(data, epochs=SMALL_EPOCHS, verbose=2)
    return model


def _mobilenet(folder: Path) -> Net:
    path = folder / "mobilenet.keras"
    mobilenet_job({"path": str(path)}, folder)
    with tempfile.TemporaryDirectory() as name, unpack(Path(name)).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
        function = Preprocessor(PREPROCESS)
        pixels = np.concatenate([function(read_picture(Path(name) / row["path"])).copy() for row in rows])
    order = np.random.default_rng(0).permutation(len(rows))
    truth = np.array([int(row["class_id"]) for row in rows])
    train, test = (Pictures(pixels[part], truth[part]) for part in (order[:PHOTOS], order[PHOTOS:]))
    return Net(
        "mobilenet",
        "MobileNetV1 0.25, ImageNet",
        {"model": str(path)},
        train,
        test,
        epochs=5,
        rate=2e-5,
        batch=16,
        seeds=1,
        own_scores=True,
    )


def optimizer(rate: float, steps: int) -> Any:
    """Adam whose rate falls to 0 along a cosine."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))


def batches(pixels: NDArray[np.float32], targets: NDArray[Any], batch: int, *, shift: bool) -> Any:
    """Shuffled batches. shift: each picture moved by up to 4 pixels, and half of them mirrored."""
    data = tf.data.Dataset.from_tensor_slices((pixels, targets)).shuffle(len(pixels))
    return (data.map(_shifted) if shift else data).batch(batch).prefetch(2)


def _shifted(picture: Any, target: Any) -> Any:
    around = [[_SHIFT, _SHIFT], [_SHIFT, _SHIFT], [0, 0]]
    padded = tf.pad(picture, around, "REFLECT")
    return tf.image.random_flip_left_right(tf.image.random_crop(padded, picture.shape)), target
