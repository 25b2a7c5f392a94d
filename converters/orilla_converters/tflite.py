"""Writes TFLite artifacts: `image` in, `probabilities` out, built-in operators only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.calibration_feed import calibration_tensors
from orilla_converters.compat import calibrated_only, quantized_but
from orilla_converters.layer_names import nodes_of_layers
from orilla_converters.metadata import tflite_metadata, with_label_file
from orilla_converters.negation import without_negations
from orilla_converters.normalization import Normalization, outside
from orilla_converters.recipe import Recipe, parse_recipe
from orilla_converters.source import KerasSource, open_source
from orilla_converters.tensor_file import TensorFile
from orilla_converters.tflite_check import require_kind
from orilla_converters.tflite_file import finish, nodes
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import ConversionError

_OPERATOR = re.compile(r"\btf\.[A-Z]\w+")
_WITHOUT_16X8 = re.compile(r"16x8-bit not yet supported for op: '?(\w+)")


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the artifact of `parameters["recipe"]`; the value is its path."""
    source = open_source(parameters)
    recipe = parse_recipe(parameters["recipe"])
    if recipe.calibrated:
        data = _quantized(source, recipe, TensorFile.from_json(parameters["calibration"]))
    else:
        data = _float(source, recipe)
    fed = outside(recipe.io, source.normalization)
    data = finish(
        data,
        softmax=recipe.calibrated and recipe.io != "integer",
        metadata=tflite_metadata(parameters["channels"], fed.mean, fed.std),
        bytes_as=source.normalization if recipe.precision in {"16x8", "mixed"} and recipe.io == "uint8" else None,
    )
    require_kind(data, recipe)
    _require_runs(data)
    path = folder / recipe.name
    path.write_bytes(with_label_file(data, parameters["labels"]))
    return {"path": str(path)}


def _require_runs(data: bytes) -> None:
    """Open and call it once in this process, a worker's: an interpreter that aborts takes nobody with it here.

    Raises:
        ModelError: the interpreter refuses the file.
    """
    session = engine_for("tflite").load(data, EngineOptions(threads=1))
    try:
        session.run(*(np.zeros([side or 1 for side in spec.shape], spec.dtype) for spec in session.inputs))
    finally:
        session.close()


def _batch(recipe: Recipe) -> int | None:
    return None if recipe.batch == "dynamic" else 1


def _float(source: KerasSource, recipe: Recipe) -> bytes:
    import keras
    import tensorflow as tf

    dtype = "float32" if recipe.io == "float" else "uint8"
    image = pixels = keras.Input(source.shape, batch_size=_batch(recipe), dtype=dtype, name="image")
    if recipe.io != "float":
        front = source.normalization
        pixels = keras.layers.Rescaling(front.scale, front.offset, dtype="float32")(image)
    scores = keras.layers.Softmax(dtype="float32", name="probabilities")(source.core(pixels))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, scores))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter.convert)


def _quantized(source: KerasSource, recipe: Recipe, sample: TensorFile) -> bytes:
    """The core up to its logits, with the normalization as its input's scale and zero point."""
    import keras
    import tensorflow as tf

    pixels = keras.Input(source.shape, batch_size=_batch(recipe), dtype="float32", name="image")
    scores = without_negations(source.core, pixels)
    if recipe.io == "integer":
        scores = keras.layers.Softmax(dtype="float32", name="probabilities")(scores)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, scores))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(sample, source.normalization)
    if recipe.precision == "mixed":
        calibrated = _converted(lambda: calibrated_only(converter))
        layers = {layer.name for layer in source.core._flatten_layers()}
        return quantized_but(calibrated, sorted(nodes_of_layers(nodes(calibrated), recipe.float_layers, layers)))
    sets = tf.lite.OpsSet
    if recipe.precision == "16x8":
        converter.target_spec.supported_ops = [sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        return _converted(converter.convert)
    converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.float32 if recipe.io == "float" else tf.uint8
    # The last operator dequantizes: int8 probabilities of many classes are a handful of values, and ties.
    converter.inference_output_type = tf.uint8 if recipe.io == "integer" else tf.float32
    return _converted(converter.convert)


def _representative(sample: TensorFile, normalization: Normalization) -> Callable[[], Iterator[list[Any]]]:
    def give() -> Iterator[list[Any]]:
        for pixels in calibration_tensors(sample, normalization):
            yield [pixels]

    return give


def _converted(convert: Callable[[], bytes]) -> bytes:
    try:
        return convert()
    except Exception as error:
        text = str(error)
        if "16x8-bit not yet supported" in text:
            operators = ", ".join(sorted(set(_WITHOUT_16X8.findall(text))))
            raise ConversionError(
                f"TFLite has no 16x8 form of {operators or 'an operator of this model'}.",
                "Leave out 16x8, or change the layers that need it.",
            ) from error
        needed = _operators_named(text)
        if not needed:
            raise
        raise ConversionError(
            f"TFLite has no operator for a part of this model: {needed}.", "Change the layers that need it."
        ) from error


def _operators_named(text: str) -> str:
    """The TensorFlow operators that the converter names when it has no built-in one for them."""
    marks = ("custom op nor a flex op", "custom ops:", "flex ops:", "ops are not supported", "tf.")
    if not any(mark in text for mark in marks[:-1]):
        return ""
    return ", ".join(sorted(set(_OPERATOR.findall(text)))[:5])
