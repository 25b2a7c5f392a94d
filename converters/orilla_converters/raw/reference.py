"""What Keras itself says of the judged samples of a model of any inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.opening import open_raw
from orilla_converters.ports import listed, single
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.errors import ConversionError

BATCH = 8
"""Samples a call: outputs may be as large as pictures."""


def reference_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: the model's outputs for `parameters["samples"]`, by input; the value is a tensor file for each output.

    The model is asked as it was saved, not by its core: what was taken apart is judged too.
    """
    import tensorflow as tf

    source = open_raw(parameters)
    inputs, outputs = source.ports.inputs, source.ports.outputs
    files = [TensorFile.from_json(parameters["samples"][port.name]) for port in inputs]
    call = tf.function(lambda *tensors: listed(source.model(single(tensors), training=False)), reduce_retracing=True)
    paths = [folder / f"{place}.f32" for place in range(len(outputs))]
    streams = [path.open("wb") for path in paths]
    count = 0
    try:
        for batch in _batches(files):
            count += len(batch[0])
            given = call(*(tf.constant(tensor) for tensor in batch))
            for port, stream, values in zip(outputs, streams, given, strict=True):
                stream.write(_checked(np.asarray(values, np.float32), port.name, parameters["model"]).tobytes())
    finally:
        for stream in streams:
            stream.close()
    named = zip(outputs, paths, strict=True)
    return {
        "outputs": {port.name: TensorFile(path, (count, *port.shape), "", "float32").to_json() for port, path in named}
    }


def _batches(files: list[TensorFile]) -> Iterator[list[Any]]:
    rows = zip(*files, strict=True)
    while batch := list(islice(rows, BATCH)):
        yield [np.stack(tensors).astype(np.float32) for tensors in zip(*batch, strict=True)]


def _checked(values: Any, name: str, model: str) -> Any:
    if not np.isfinite(values).all():
        raise ConversionError(f"{model}: {name!r} gives values that are not finite.", "Train the model again.")
    return values
