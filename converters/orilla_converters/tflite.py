"""Writes TFLite artifacts: uint8 `image` in, float32 `probabilities` out, batch of one, built-in operators only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.metadata import tflite_metadata, with_label_file
from orilla_converters.source import KerasSource, Normalization, open_source
from orilla_converters.tensor_file import TensorFile
from orilla_converters.tflite_file import contents, finish
from orilla_runtime.errors import ConversionError


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write one artifact of `parameters["precision"]`; the value is its path."""
    source = open_source(parameters)
    precision = parameters["precision"]
    if precision == "int8":
        data = _int8(source, TensorFile.from_json(parameters["calibration"]))
    else:
        data = _float(source, half=precision == "float16")
    data = finish(data, softmax=precision == "int8", metadata=tflite_metadata(parameters["channels"]))
    _check(data, precision)
    path = folder / f"{precision}.tflite"
    path.write_bytes(with_label_file(data, parameters["labels"]))
    return {"path": str(path)}


def _float(source: KerasSource, *, half: bool) -> bytes:
    import keras
    import tensorflow as tf

    image = keras.Input(source.shape, batch_size=1, dtype="uint8", name="image")
    pixels = keras.layers.Rescaling(source.normalization.scale, source.normalization.offset, dtype="float32")(image)
    scores = keras.layers.Softmax(dtype="float32", name="probabilities")(source.core(pixels))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, scores))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def _int8(source: KerasSource, sample: TensorFile) -> bytes:
    """The core up to its logits, with the normalization as its input's scale and zero point."""
    import keras
    import tensorflow as tf

    pixels = keras.Input(source.shape, batch_size=1, dtype="float32", name="image")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, source.core(pixels)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(sample, source.normalization)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    # The last operator dequantizes: int8 probabilities of many classes are a handful of values, and ties.
    converter.inference_output_type = tf.float32
    return _converted(converter)


def _check(data: bytes, precision: str) -> None:
    """Read back what was written: built-in operators alone, and in int8 nothing in float but the softmax."""
    left = [name for name in contents(data).float_operators if name != "SOFTMAX"]
    if left and precision == "int8":
        raise ConversionError(
            f"int8.tflite: these operators have no int8 form and stayed in float: {', '.join(sorted(set(left)))}.",
            "Change those layers, or leave out int8 (--precision float32,float16).",
        )


def _representative(sample: TensorFile, normalization: Normalization) -> Callable[[], Iterator[list[Any]]]:
    def give() -> Iterator[list[Any]]:
        for pixels in calibration_tensors(sample, normalization):
            yield [pixels]

    return give


def calibration_tensors(sample: TensorFile, normalization: Normalization) -> Iterator[Any]:
    """The sample as the core takes it, float32, one picture at a time.

    The input's range must be that of all 256 pixel values, or the raw byte would not be the quantized input. Where the
    pictures do not span it, a black and a white one are added.

    Raises:
        ConversionError: no pictures.
    """
    pictures = sample.open()
    if not len(pictures):
        raise ConversionError("There are no pictures to calibrate on.", "Give --data with pictures.")
    lowest, highest = 255, 0
    for picture in pictures:
        lowest, highest = min(lowest, int(picture.min())), max(highest, int(picture.max()))
        yield normalized(picture[np.newaxis], normalization)
    for missing, level in ((lowest > 0, 0), (highest < 255, 255)):
        if missing:
            yield normalized(np.full((1, *pictures.shape[1:]), level, np.uint8), normalization)


def normalized(pixels: Any, normalization: Normalization) -> Any:
    """Raw pixels as the core takes them, float32."""
    return pixels.astype(np.float32) * np.float32(normalization.scale) + np.float32(normalization.offset)


def _converted(converter: Any) -> bytes:
    try:
        data: bytes = converter.convert()
    except Exception as error:
        needed = _operators_named(str(error))
        if not needed:
            raise
        raise ConversionError(
            f"TFLite has no operator for a part of this model: {needed}.", "Change the layers that need it."
        ) from error
    return data


def _operators_named(text: str) -> str:
    """The TensorFlow operators that the converter names when it has no built-in one for them."""
    marks = ("custom op nor a flex op", "custom ops:", "flex ops:", "ops are not supported", "tf.")
    if not any(mark in text for mark in marks[:-1]):
        return ""
    found = {word.strip("'\",.:()<>{}") for word in text.split() if word.lstrip("'\"(").startswith("tf.")}
    return ", ".join(sorted(name for name in found if len(name) > 3)[:5])
