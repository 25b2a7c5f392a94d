"""Labels and normalization inside the artifacts themselves, for programs that know nothing of bundles.

ONNX: `metadata_props`. TFLite: the `TFLITE_METADATA` entry and a label file packed behind the model, as MediaPipe Tasks
and ML Kit read them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

from orilla_converters.metadata_codec import encode_metadata
from orilla_converters.metadata_edit import LABEL_FILE, label_lines, with_labels, with_normalization, with_texts
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
