"""Jobs for `test_source_kinds.py`: models of every kind are opened, and compared with what they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.errors import OrillaError

RAW = {"raw": False, "normalization": [1.0, 0.0]}


def _stack(keras: Any) -> list[Any]:
    layers = keras.layers
    return [
        layers.RandomFlip(),
        layers.Rescaling(1 / 128, -127 / 128),
        layers.Conv2D(8, 3, strides=2, activation="relu", name="stem"),
        layers.DepthwiseConv2D(3, name="middle"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, name="scores"),
        layers.Softmax(),
    ]


def _subclassed(keras: Any) -> Any:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stack = _stack(keras)

        def call(self, x: Any, training: bool = False) -> Any:
            for layer in self.stack:
                x = layer(x, training=training) if "Random" in type(layer).__name__ else layer(x)
            return x

    model = Own()
    model(np.zeros((1, 12, 12, 3), "float32"))
    return model


def _augmented(keras: Any) -> Any:
    """As the tutorials do: augmentation is a model in front."""
    first = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)], name="augmentation")
    return keras.Sequential([keras.Input((12, 12, 3)), first, *_stack(keras)[1:]])


def _ending_in(keras: Any, model: Any) -> Any:
    image = keras.Input((12, 12, 3))
    return keras.Model(image, model(keras.layers.RandomContrast(0.1)(image)))


def _shrunk(keras: Any) -> Any:
    """The layers whose arguments Keras 3 took away."""
    front, head, layers = _stack(keras)[1:2], _stack(keras)[-3:], keras.layers
    middle = [
        layers.DepthwiseConv2D(3, strides=2),
        layers.BatchNormalization(),
        layers.SeparableConv2D(8, 3, activation="relu"),
        layers.Conv2DTranspose(6, 3, strides=2, activation="relu"),
    ]
    return keras.Sequential([keras.Input((12, 12, 3)), *front, *middle, *head])


def _as_keras_2_wrote_it(path: Path) -> None:
    """The configurations that Keras 2.15 writes for the same layers."""
    import h5py

    glorot = {"class_name": "GlorotUniform", "config": {"seed": None}}
    kernel = {"kernel_initializer": glorot, "kernel_regularizer": None, "kernel_constraint": None}
    extra = {
        "DepthwiseConv2D": {"groups": 1},
        "SeparableConv2D": {"groups": 1, **kernel},
        "Conv2DTranspose": {"groups": 1},
        "BatchNormalization": {"axis": [3]},
    }
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        for layer in model["config"]["layers"]:
            layer["config"] |= extra.get(layer["class_name"], {})
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = "2.15.0"


def everything(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The value of each function below, by its name; TensorFlow is imported once for all."""
    found = {}
    for job in (kinds, opened, refused):
        (folder / job.__name__).mkdir()
        found[job.__name__] = job(parameters, folder / job.__name__)
    return found


def kinds(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """For each kind of model how far its opened parts are from it, and whether its weights stayed as they were."""
    import keras

    from orilla_converters.live import on_disk
    from orilla_converters.reference import probabilities
    from orilla_converters.source import open_source

    keras.utils.set_random_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3)).astype("float32")
    functional = keras.Sequential([keras.Input((12, 12, 3)), *_stack(keras)])
    subclassed = _subclassed(keras)
    scaled = keras.Sequential(
        [keras.Input((12, 12, 3)), keras.layers.Lambda(lambda x: x * 2.0), *_stack(keras)], name="with_code"
    )
    augmented = _augmented(keras)
    shrunk = _shrunk(keras)
    functional.save(folder / "old.h5")
    shrunk.save(folder / "keras_2.h5")
    _as_keras_2_wrote_it(folder / "keras_2.h5")
    subclassed.export(str(folder / "exported"), format="tf_saved_model", verbose=False)
    cases = {
        "h5": (functional, folder / "old.h5"),
        "keras_2": (shrunk, folder / "keras_2.h5"),
        "augmented": (augmented, augmented),
        "ends_in_a_model": (augmented, _ending_in(keras, augmented)),
        "saved_model": (subclassed, folder / "exported"),
        "live": (functional, functional),
        "live_subclassed": (subclassed, subclassed),
        "live_lambda": (scaled, scaled),
    }
    found = {}
    for name, (model, given) in cases.items():
        before = [weight.copy() for weight in model.get_weights()]
        with on_disk(given) as path:
            source = open_source({"model": str(path), **RAW})
        whole = np.asarray(model(pixels, training=False))
        front = source.normalization
        core = probabilities(np.asarray(source.core(pixels * front.scale + front.offset, training=False)))
        after = model.get_weights()
        found[name] = {
            "whole": float(np.abs(np.asarray(source.model(pixels, training=False)) - whole).max()),
            "core": float(np.abs(core - whole).max()),
            "head": source.head,
            "front": [front.scale, front.zero_point],
            "suffix": path.suffix,
            "same_weights": all(map(np.array_equal, before, after)),
        }
    return found


def opened(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """What each of the files gives, or says."""
    from orilla_converters.source import open_source

    found = {}
    for name, given in parameters["cases"].items():
        try:
            source = open_source({**RAW, **given})
            found[name] = {"shape": list(source.shape), "classes": source.classes}
        except OrillaError as error:
            found[name] = {"refused": str(error)}
    return found


def refused(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Folders and files that cannot be opened rightly, and what is said of them."""
    import keras
    import tensorflow as tf

    keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    ).export(str(folder / "open"), format="tf_saved_model", verbose=False)
    module = tf.Module()
    module.count = tf.Variable(1.0)
    tf.saved_model.save(module, str(folder / "no_signature"))
    half = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(dtype="float16"), keras.layers.Dense(3, dtype="float16")]
    )
    half.export(str(folder / "half"), format="tf_saved_model", verbose=False)
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]).save_weights(
        folder / "w.weights.h5"
    )
    (folder / "w.weights.h5").rename(folder / "weights.h5")
    (folder / "text.h5").write_text("no model")
    broken = folder / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\x08\x01 broken")
    keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x * 2.0), keras.layers.Flatten(), keras.layers.Dense(3)]
    ).save(folder / "code.h5")
    names = ("open", "no_signature", "half", "weights.h5", "text.h5", "broken", "code.h5")
    return opened({"cases": {name: {"model": str(folder / name)} for name in names}}, folder)
