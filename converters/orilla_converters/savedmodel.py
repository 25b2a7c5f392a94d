"""Writes a SavedModel for TensorFlow Serving: `image` in, `probabilities` out, any number of pictures at a time.

The weights are constants of the graph, as in the other formats; normalization and softmax are inside. It is a folder,
and travels in the bundle as one entry (`orilla_runtime.formats.packed_folder`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla_converters.compat import frozen_function, pruned
from orilla_converters.recipe import parse_recipe
from orilla_converters.source import KerasSource, open_source
from orilla_runtime.formats.packed_folder import packed

SIGNATURE = "serving_default"
IMAGE, PROBABILITIES = "image", "probabilities"
_FINGERPRINT = "fingerprint.pb"


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the artifact of `parameters["recipe"]`; the value is its path."""
    written = folder / "written"
    _save(open_source(parameters), written)
    _name_by_content(written / _FINGERPRINT)
    path = folder / parse_recipe(parameters["recipe"]).name
    files = {file.relative_to(written).as_posix(): file.read_bytes() for file in written.rglob("*") if file.is_file()}
    path.write_bytes(packed(files))
    return {"path": str(path)}


def _save(source: KerasSource, folder: Path) -> None:
    import tensorflow as tf

    front = source.normalization

    def call(image: Any) -> Any:
        pixels = tf.cast(image, tf.float32) * front.scale + front.offset
        return tf.nn.softmax(source.core(pixels, training=False), axis=-1, name=PROBABILITIES)

    spec = tf.TensorSpec((None, *source.shape), tf.uint8, name=IMAGE)
    frozen = frozen_function(call, [spec])
    graph = frozen.graph.as_graph_def()
    plain = pruned(graph, [frozen.inputs[0].name], [frozen.outputs[0].name])

    def serve(image: Any) -> dict[str, Any]:
        return {PROBABILITIES: plain(image)}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.serve})


def _name_by_content(path: Path) -> None:
    """TensorFlow gives every folder that it writes a random number: one that follows from its content says as much."""
    from tensorflow.core.protobuf import fingerprint_pb2

    found = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    found.uuid = ""
    found.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, found.SerializeToString(deterministic=True).hex()))
    path.write_bytes(found.SerializeToString(deterministic=True))
