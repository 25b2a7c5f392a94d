"""Artifacts with a fault put in on purpose, and what is said of each; a job, for it needs TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.diagnose import _layer_names
from orilla_converters.faults import name_fault
from orilla_converters.source import KerasSource, open_source
from orilla_converters.tensor_file import TensorFile
from orilla_converters.tflite_layers import compare_layers


def findings(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """For each faulty artifact its path, the fault that was named, and the first bad layer with its gain."""
    source = open_source(parameters)
    pictures = np.asarray(TensorFile.from_json(parameters["tensors"]).open())
    folder = Path(parameters["folder"])
    found = {}
    for name, data in _artifacts(source, parameters["doubled"]):
        path = folder / f"{name}.tflite"
        path.write_bytes(data)
        layers = compare_layers(data, source, _layer_names(source.core), pictures, 25.0)
        found[name] = {
            "path": str(path),
            "fault": name_fault(source, "tflite", data, pictures),
            "layer": None if layers.first_bad is None else layers.first_bad.layer,
            "finding": layers.finding(),
        }
    return found


def _artifacts(source: KerasSource, layer: str) -> Iterator[tuple[str, bytes]]:
    import keras

    front = source.normalization
    yield "good", _written(source)
    yield "good_float16", _written(source, half=True)
    yield "swapped_channels", _written(source, before=lambda pixels: keras.ops.flip(pixels, axis=-1))
    yield "wrong_mean", _written(source, before=lambda pixels: pixels + 40 * front.scale)
    yield "wrong_range", _written(source, before=lambda pixels: (pixels - front.offset) / front.scale / 255)
    yield "label_order", _written(source, behind=lambda scores: keras.ops.take(scores, [1, 0, *range(9, 1, -1)], -1))
    with _training_mode(source):
        yield "training_mode", _written(source)
    yield "collapsed", _written(source, behind=lambda scores: scores * 0 + np.eye(10, dtype="float32")[3])
    kernel = source.core.get_layer(layer).kernel
    kept = np.array(kernel)
    kernel.assign(kept * 2)
    doubled = _written(source)
    kernel.assign(kept)
    yield "doubled_layer", doubled


@contextmanager
def _training_mode(source: KerasSource) -> Iterator[None]:
    """Every batch normalization takes the mean and variance of the picture that it sees."""
    import keras

    norms = [layer for layer in source.core._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]

    def own_statistics(norm: Any) -> Any:
        def call(tensor: Any, **_: Any) -> Any:
            mean, variance = keras.ops.moments(tensor, axes=[0, 1, 2], keepdims=True)
            return (tensor - mean) / keras.ops.sqrt(variance + norm.epsilon) * norm.gamma + norm.beta

        return call

    for norm in norms:
        norm.call = own_statistics(norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.call


def _written(
    source: KerasSource,
    *,
    before: Any = lambda pixels: pixels,
    behind: Any = lambda scores: scores,
    half: bool = False,
) -> bytes:
    """A float artifact of the core, as the writer makes it but for what is done before, behind and within."""
    import keras
    import tensorflow as tf

    from orilla_converters.metadata import port_metadata
    from orilla_converters.tflite_file import finish

    image = keras.Input(source.shape, batch_size=1, dtype="uint8", name="image")
    front = source.normalization
    pixels = before(keras.layers.Rescaling(front.scale, front.offset, dtype="float32")(image))
    scores = keras.layers.Softmax()(source.core(pixels))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, behind(scores)))
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return finish(
        converter.convert(),
        source.ports,
        softmax=False,
        metadata=port_metadata(source.ports, "rgb", "uint8"),
        bytes_as={},
    )
