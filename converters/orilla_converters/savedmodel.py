"""Writes a SavedModel for TensorFlow Serving: the model's ports by their names, any number of samples at a time.

A classifier's are `image` and `probabilities`. The weights are constants of the graph, as in the other formats;
normalization and softmax are inside. It is a folder, and travels in the bundle as one entry
(`orilla_runtime.formats.packed_folder`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla_converters.compat import frozen_function, pruned
from orilla_converters.opening import open_any
from orilla_converters.ports import InputPort, listed, single
from orilla_converters.raw.source import RawSource
from orilla_converters.recipe import parse_recipe
from orilla_converters.source import KerasSource
from orilla_runtime.formats.packed_folder import packed

SIGNATURE = "serving_default"
_FINGERPRINT = "fingerprint.pb"


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the artifact of `parameters["recipe"]`; the value is its path."""
    written = folder / "written"
    _save(open_any(parameters), written)
    _name_by_content(written / _FINGERPRINT)
    path = folder / parse_recipe(parameters["recipe"]).name
    files = {file.relative_to(written).as_posix(): file.read_bytes() for file in written.rglob("*") if file.is_file()}
    path.write_bytes(packed(files))
    return {"path": str(path)}


def _save(source: KerasSource | RawSource, folder: Path) -> None:
    import tensorflow as tf

    ports = source.ports

    def call(*tensors: Any) -> list[Any]:
        taken = [_taken(tensor, port) for tensor, port in zip(tensors, ports.inputs, strict=True)]
        given = listed(source.core(single(taken), training=False))
        return [
            tf.nn.softmax(one, axis=-1, name=port.name) if port.softmax else tf.identity(one, name=port.name)
            for one, port in zip(given, ports.outputs, strict=True)
        ]

    specs = [
        tf.TensorSpec((None, *port.shape), tf.float32 if port.normalization is None else tf.uint8, name=port.name)
        for port in ports.inputs
    ]
    frozen = frozen_function(call, specs)
    graph = frozen.graph.as_graph_def()
    plain = pruned(graph, [one.name for one in frozen.inputs], [one.name for one in frozen.outputs])

    def serve(*tensors: Any) -> dict[str, Any]:
        return {port.name: one for port, one in zip(ports.outputs, listed(plain(*tensors)), strict=True)}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    # A served model is not trained; and the gradient that swish brings of its own cannot be traced here.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.serve}, options=options)


def _taken(tensor: Any, port: InputPort) -> Any:
    """What the core takes: a picture's bytes become normalized floats."""
    import tensorflow as tf

    if port.normalization is None:
        return tensor
    return tf.cast(tensor, tf.float32) * port.normalization.scale + port.normalization.offset


def _name_by_content(path: Path) -> None:
    """TensorFlow gives every folder that it writes a random number: one that follows from its content says as much."""
    from tensorflow.core.protobuf import fingerprint_pb2

    found = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    found.uuid = ""
    found.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, found.SerializeToString(deterministic=True).hex()))
    path.write_bytes(found.SerializeToString(deterministic=True))
