"""Writes TFLite artifacts: the model's ports in and out, built-in operators only.

A classifier's are `image` and `probabilities`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.bias_correction import correct_biases
from orilla_converters.calibration_feed import Samples, calibration_feeds, calibration_samples, core_feeds
from orilla_converters.compat import calibrated_only, quantized_but
from orilla_converters.layer_names import nodes_of_layers
from orilla_converters.metadata import port_metadata, with_label_file
from orilla_converters.negation import without_negations
from orilla_converters.normalization import Normalization
from orilla_converters.opening import open_any
from orilla_converters.ports import Ports, listed, single
from orilla_converters.raw.source import RawSource
from orilla_converters.recipe import Recipe, parse_recipe
from orilla_converters.source import KerasSource
from orilla_converters.tflite_check import require_kind
from orilla_converters.tflite_file import finish, nodes
from orilla_converters.tflite_head import with_float_logits
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import ConversionError

_OPERATOR = re.compile(r"\btf\.[A-Z]\w+")
_WITHOUT_16X8 = re.compile(r"16x8-bit not yet supported for op: '?(\w+)")


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the artifact of `parameters["recipe"]`; the value is its path."""
    source = open_any(parameters)
    recipe = parse_recipe(parameters["recipe"])
    ports = source.ports
    if recipe.calibrated:
        samples = calibration_samples(parameters, ports.inputs)
        correct_biases(source.core, *core_feeds(samples, ports.inputs), recipe.float_layers)
        data = _quantized(source, recipe, samples)
    else:
        data = _float(source, recipe)
    data = finish(
        data,
        ports,
        softmax=recipe.calibrated and recipe.io != "integer",
        metadata=port_metadata(ports, parameters["channels"], recipe.io),
        bytes_as=_left_to_finish(ports, recipe),
    )
    require_kind(data, recipe)
    if recipe.precision in {"int8", "mixed"} and recipe.io != "integer":
        data = with_float_logits(data)
    _require_runs(data)
    path = folder / recipe.name
    path.write_bytes(with_label_file(data, parameters["labels"]) if ports.labelled else data)
    return {"path": str(path)}


def _left_to_finish(ports: Ports, recipe: Recipe) -> Mapping[str, Normalization]:
    """The pictures whose bytes the converter does not take: it takes them at every input or at none."""
    if not recipe.calibrated or recipe.io != "uint8":
        return {}
    if recipe.precision == "int8" and len(ports.pictures) == len(ports.inputs):
        return {}
    return {port.name: port.normalization for port in ports.pictures if port.normalization is not None}


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


def _float(source: KerasSource | RawSource, recipe: Recipe) -> bytes:
    import keras
    import tensorflow as tf

    taken, tensors = [], []
    for port in source.ports.inputs:
        front = None if recipe.io == "float" else port.normalization
        dtype = "float32" if front is None else "uint8"
        taken.append(keras.Input(port.shape, batch_size=_batch(recipe), dtype=dtype, name=port.name))
        scaling = front and keras.layers.Rescaling(front.scale, front.offset, dtype="float32")
        tensors.append(scaling(taken[-1]) if scaling else taken[-1])
    given = _with_softmaxes(source.core(single(tensors)), source.ports)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(single(taken), single(given)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if recipe.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter.convert)


def _with_softmaxes(given: Any, ports: Ports) -> list[Any]:
    import keras

    return [
        keras.layers.Softmax(dtype="float32", name=port.name)(tensor) if port.softmax else tensor
        for tensor, port in zip(listed(given), ports.outputs, strict=True)
    ]


def _quantized(source: KerasSource | RawSource, recipe: Recipe, samples: Samples) -> bytes:
    """The core up to its logits, with the normalizations as its inputs' scales and zero points."""
    import keras
    import tensorflow as tf

    ports = source.ports
    taken = [
        keras.Input(port.shape, batch_size=_batch(recipe), dtype="float32", name=port.name) for port in ports.inputs
    ]
    given = listed(without_negations(source.core, single(taken)))
    if recipe.io == "integer":
        given = _with_softmaxes(given, ports)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(single(taken), single(given)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(samples, ports)
    if recipe.precision == "mixed":
        calibrated = _converted(lambda: calibrated_only(converter))
        layers = {layer.name for layer in source.core._flatten_layers()}
        return quantized_but(calibrated, sorted(nodes_of_layers(nodes(calibrated), recipe.float_layers, layers)))
    sets = tf.lite.OpsSet
    if recipe.precision == "16x8":
        converter.target_spec.supported_ops = [sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        return _converted(converter.convert)
    converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8]
    in_float = recipe.io == "float" or _left_to_finish(ports, recipe)
    converter.inference_input_type = tf.float32 if in_float else tf.uint8
    # The last operator dequantizes: int8 probabilities of many classes are a handful of values, and ties.
    converter.inference_output_type = tf.uint8 if recipe.io == "integer" else tf.float32
    return _converted(converter.convert)


def _representative(samples: Samples, ports: Ports) -> Callable[[], Iterator[Any]]:
    """By name: the converter's own order of several inputs is not that of the ports."""

    def give() -> Iterator[Any]:
        for feed in calibration_feeds(samples, ports.inputs):
            yield feed if len(feed) > 1 else list(feed.values())

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
