"""Jobs for `test_silent_failures.py`: tiny models on which other routes write a broken file without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.errors import OrillaError

SIDE = 12
TFLITE, ONNX = ("tflite:float32", "tflite:int8,calibration=8"), ("onnx:float32", "onnx:int8,calibration=8")


def _models(keras: Any) -> dict[str, tuple[list[Any], tuple[str, ...]]]:
    """Each stack of layers behind the input, with the recipes that it is converted by."""
    layers = keras.layers
    front = layers.Rescaling(1 / 255)
    moments = {"mean": [100.0, 110.0, 120.0], "variance": [3000.0, 3100.0, 3200.0]}
    both = (*TFLITE, *ONNX)
    return {
        "normalization": ([layers.Normalization(**moments), layers.Conv2D(8, 3)], both),
        "augmentation": ([layers.RandomFlip(), layers.RandomBrightness(0.2), front, layers.Conv2D(8, 3)], both),
        "gelu": ([front, layers.Conv2D(8, 3, activation="gelu")], both),
        "grouped": ([front, layers.Conv2D(8, 3), layers.Conv2D(8, 3, groups=4)], both),
        "hard_swish": ([front, layers.Conv2D(8, 3), layers.Activation("hard_silu"), layers.Conv2D(8, 3)], both),
        "resized": ([front, layers.Resizing(10, 10), layers.CenterCrop(8, 8), layers.Conv2D(8, 3)], both),
        "batch_norm_first": ([front, layers.BatchNormalization(), layers.Conv2D(8, 3)], both),
        "dilated": ([front, layers.Conv2D(8, 3, dilation_rate=2)], both),
        "upsampled": ([front, layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(8, 3)], both),
        "hard_16x8": ([front, layers.Conv2D(8, 3), layers.Activation("hard_silu")], ("tflite:16x8,calibration=8",)),
        "small_dynamic": ([front, layers.Conv2D(4, 3)], ("tflite:dynamic",)),
        "many_classes": ([front, layers.Conv2D(8, 3)], TFLITE[1:]),
    }


def convert_all(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """For each model and recipe the error against Keras, relative to the range, or what was said of it."""
    import keras
    from jobs_for_tests import recipes

    from orilla_converters.source import open_source
    from orilla_converters.tensor_file import write_tensors
    from orilla_converters.verify import run_all
    from orilla_runtime.engines.base import EngineOptions
    from orilla_runtime.engines.selection import engine_for

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (8, 1, SIDE, SIDE, 3), dtype=np.uint8)
    sample = write_tensors(folder / "c.u8", pictures, (SIDE, SIDE, 3))
    found: dict[str, Any] = {}
    for name, (stack, wanted) in _models(keras).items():
        classes = 1000 if name == "many_classes" else 5
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes), keras.layers.Softmax()]
        model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *stack, *head], name=name)
        path = folder / f"{name}.keras"
        model.save(path)
        (folder / name).mkdir()
        given = {"model": str(path), "raw": True, "calibration": sample.to_json(), "channels": "rgb"}
        labels = [str(number) for number in range(classes)]
        made = recipes({**given, "labels": labels, "recipes": list(wanted)}, folder / name)
        exact = np.asarray(open_source(given).model(pictures[:, 0].astype("float32"), training=False))
        for recipe, value in made.items():
            if "path" not in value:
                found[f"{name} {recipe}"] = value
                continue
            data = Path(value["path"]).read_bytes()
            session = engine_for(recipe.partition(":")[0]).load(data, EngineOptions(threads=1))
            ours = run_all(session, pictures[:, 0])
            found[f"{name} {recipe}"] = {
                "error": float(np.abs(ours - exact).max() / np.ptp(exact)),
                "inputs": [spec.name for spec in session.inputs],
                "distinct": len(np.unique(ours)),
                "finite": bool(np.isfinite(ours).all()),
            }
    return found


def refused_files(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Files that are not what was asked, as TensorFlow writes them; what `require_kind` says to each."""
    import keras
    import tensorflow as tf

    from orilla_converters.recipe import parse_recipe
    from orilla_converters.tflite_check import require_kind

    model = keras.Sequential([keras.Input((8, 8, 3), batch_size=1), keras.layers.Conv2D(4, 3)])

    def converter() -> Any:
        return tf.lite.TFLiteConverter.from_keras_model(model)

    spectral = keras.Input((8, 8), batch_size=1)
    real, imaginary = keras.ops.fft2((spectral, keras.ops.zeros_like(spectral)))
    flex = tf.lite.TFLiteConverter.from_keras_model(keras.Model(spectral, real + imaginary))
    flex.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    concrete = tf.function(model).get_concrete_function(tf.TensorSpec((1, 8, 8, 3), tf.float32))
    variables = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    empty = converter()
    empty.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    empty.representative_dataset = lambda: iter(())
    cases = {
        "int8 that is float": (converter().convert(), "tflite:int8"),
        "no optimizations": (empty.convert(), "tflite:int8"),
        "float16 that is float": (converter().convert(), "tflite:float16"),
        "dynamic that is float": (converter().convert(), "tflite:dynamic"),
        "flex": (flex.convert(), "tflite:float32"),
        "variables": (variables.convert(), "tflite:float32"),
    }
    said = {}
    for name, (data, recipe) in cases.items():
        try:
            require_kind(data, parse_recipe(recipe))
            said[name] = "passed"
        except OrillaError as error:
            said[name] = str(error)
    return said
