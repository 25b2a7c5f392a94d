"""Labels and normalization inside the artifacts themselves, for programs that know nothing of bundles.

ONNX: `metadata_props`. TFLite: the `TFLITE_METADATA` entry and a label file packed behind the model, as MediaPipe Tasks
and ML Kit read them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

from orilla_converters.metadata_codec import Record, encode_metadata
from orilla_converters.metadata_edit import LABEL_FILE, label_lines, with_labels, with_normalization, with_texts
from orilla_converters.normalization import IDENTITY, outside
from orilla_converters.ports import Ports
from orilla_runtime.formats.model_file import Normalization

TFLITE_ENTRY = "TFLITE_METADATA"


def onnx_properties(labels: Sequence[str], mean: float = 0.0, std: float = 1.0) -> dict[str, str]:
    """The `metadata_props` of an artifact of Orilla: (pixel - mean) / std in, probabilities out."""
    return {
        "orilla.labels": json.dumps(list(labels), ensure_ascii=False),
        "orilla.mean": json.dumps([mean]),
        "orilla.std": json.dumps([std]),
        "orilla.output": "probabilities",
    }


def tflite_metadata(channels: str, mean: float = 0.0, std: float = 1.0, name: str = "orilla") -> bytes:
    """The metadata flatbuffer of an artifact that takes (pixel - mean) / std; `channels`: `rgb`, `bgr` or `grey`."""
    ports = ["image"], ["probabilities"]
    record = with_normalization(with_texts({}, {"name": name}), *ports, Normalization((mean,), (std,)), channels)
    return encode_metadata(with_labels(record, *ports)[0])


def port_metadata(ports: Ports, channels: str, io: str) -> bytes:
    """The metadata flatbuffer of an artifact with these ports, made with this `io`; `channels`: of its pictures."""
    if ports.labelled:
        front = outside(io, ports.inputs[0].normalization or IDENTITY)
        return tflite_metadata(channels, front.mean, front.std)
    outputs = [port.name for port in ports.outputs]
    taken: list[Record] = []
    for port in ports.inputs:
        entry: Record = {"name": port.name}
        if port.normalization is not None:
            front = outside(io, port.normalization)
            said = Normalization((front.mean,), (front.std,))
            (graph,) = with_normalization({}, [port.name], outputs, said, channels)["subgraph_metadata"]
            (entry,) = graph["input_tensor_metadata"]
        taken.append(entry)
    tensors = {"input_tensor_metadata": taken, "output_tensor_metadata": [{"name": name} for name in outputs]}
    return encode_metadata({**with_texts({}, {"name": "orilla"}), "subgraph_metadata": [tensors]})


def port_properties(ports: Ports, labels: Sequence[str], io: str) -> dict[str, str]:
    """The `metadata_props` of an ONNX artifact with these ports; a picture's normalization where it is all there is."""
    alone = ports.inputs[0].normalization if len(ports.inputs) == 1 else None
    front = outside(io, alone or IDENTITY)
    if ports.labelled:
        return onnx_properties(labels, front.mean, front.std)
    return {} if alone is None else {"orilla.mean": json.dumps([front.mean]), "orilla.std": json.dumps([front.std])}


def with_label_file(model: bytes, labels: Sequence[str]) -> bytes:
    """The model with its class names packed behind it."""
    return with_files(model, {LABEL_FILE: label_lines(labels)})


def with_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """The model with files packed behind it: stored, since MediaPipe refuses others; the same bytes each time."""
    if not files:
        return model
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()
