"""Labels and normalization inside the artifacts themselves, for programs that know nothing of bundles.

ONNX: `metadata_props`. TFLite: the `TFLITE_METADATA` entry and a label file packed behind the model, as MediaPipe Tasks
and ML Kit read them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

LABEL_FILE = "labels.txt"
TFLITE_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
# Least version of the schema that knows what is written here.
_PARSER_VERSION = "1.0.0"
_COLOURS = {"rgb": 1, "grey": 2}
_IMAGE, _FEATURE, _NORMALIZATION, _AXIS_LABELS = 2, 1, 1, 2


def onnx_properties(labels: Sequence[str]) -> dict[str, str]:
    """The `metadata_props` of an artifact of Orilla: raw pixels in (mean 0, deviation 1), probabilities out."""
    return {
        "orilla.labels": json.dumps(list(labels), ensure_ascii=False),
        "orilla.mean": "[0.0]",
        "orilla.std": "[1.0]",
        "orilla.output": "probabilities",
    }


def tflite_metadata(channels: str, name: str = "orilla") -> bytes:
    """The metadata flatbuffer of an artifact of Orilla; `channels` is `rgb`, `bgr` or `grey`.

    Slot numbers are those of `metadata_schema.fbs`.
    """
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    image = _table(builder, {0: ("byte", _COLOURS.get(channels, 0))})
    ones = _floats(builder, [1.0])
    zeros = _floats(builder, [0.0])
    options = _table(builder, {0: ("offset", zeros), 1: ("offset", ones)})
    unit = _table(builder, {0: ("byte", _NORMALIZATION), 1: ("offset", options)})
    taken = {
        0: ("offset", builder.CreateString("image")),
        3: ("offset", _content(builder, _IMAGE, image)),
        4: ("offset", _offsets(builder, [unit])),
    }
    inputs = _offsets(builder, [_table(builder, taken)])
    file = _table(builder, {0: ("offset", builder.CreateString(LABEL_FILE)), 2: ("byte", _AXIS_LABELS)})
    given = {
        0: ("offset", builder.CreateString("probabilities")),
        3: ("offset", _content(builder, _FEATURE, _table(builder, {}))),
        6: ("offset", _offsets(builder, [file])),
    }
    outputs = _offsets(builder, [_table(builder, given)])
    graph = _table(builder, {2: ("offset", inputs), 3: ("offset", outputs)})
    texts = {0: name, 7: _PARSER_VERSION}
    root = {slot: ("offset", builder.CreateString(text)) for slot, text in texts.items()}
    builder.Finish(_table(builder, root | {3: ("offset", _offsets(builder, [graph]))}), _IDENTIFIER)
    return bytes(builder.Output())


def with_label_file(model: bytes, labels: Sequence[str]) -> bytes:
    """The model with its class names packed behind it, stored and not deflated, one a line."""
    stream = io.BytesIO(model)
    entry = zipfile.ZipInfo(LABEL_FILE, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    lines = (" ".join(label.split()) for label in labels)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, "".join(f"{line}\n" for line in lines).encode())
    return stream.getvalue()


def _content(builder: Any, kind: int, properties: int) -> int:
    """A union of content properties: the type, then the table."""
    return _table(builder, {0: ("byte", kind), 1: ("offset", properties)})


def _table(builder: Any, fields: Mapping[int, tuple[str, int]]) -> int:
    """A table of offsets and bytes by slot; what they point to is finished already."""
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, value) in fields.items():
        write = builder.PrependUOffsetTRelativeSlot if kind == "offset" else builder.PrependInt8Slot
        write(slot, value, 0)
    end: int = builder.EndObject()
    return end


def _offsets(builder: Any, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    end: int = builder.EndVector()
    return end


def _floats(builder: Any, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    end: int = builder.EndVector()
    return end
