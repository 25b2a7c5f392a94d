"""Puts metadata and files into a finished TFLite file without touching a byte of the model in it.

A flatbuffer's offsets point forward, so a new root can stand in front of the old file: it names the old file's graphs,
operators and buffers where they are, and one buffer more. Behind it the old file follows as it was, aligned as it was;
packed files are written again at the end. A second writing takes the place of the first. Everything here raises
DamagedFileError for a file whose offsets lead nowhere.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from orilla_converters.metadata import TFLITE_ENTRY, with_files
from orilla_runtime.errors import ModelError
from orilla_runtime.formats.flatbuffer import Buffer, Table
from orilla_runtime.formats.limits import Budget

IDENTIFIER = b"TFL3"
_MARK = b"orilla metadata\0"
"""Stands right in front of the old file; as long as the alignment that weights need."""
_ALIGNMENT = 16
_VERSION, _BUFFERS, _METADATA, _LAST = 0, 4, 6, 9
_LARGE_OPTIONS = 9


def split(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The model alone, without packed files and without metadata that `with_metadata` put in; and the packed files."""
    files: dict[str, bytes] = {}
    stream = io.BytesIO(data)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            files = {entry.filename: archive.read(entry) for entry in entries}
            data = data[: min((entry.header_offset for entry in entries), default=archive.start_dir)]
    at = data.find(_MARK) + len(_MARK)
    if at >= len(_MARK) and at % _ALIGNMENT == 0 and data[at + 4 : at + 8] == IDENTIFIER:
        data = data[at:]
    return data, files


def with_metadata(data: bytes, metadata: bytes, files: Mapping[str, bytes], name: str = "the model") -> bytes:
    """The model with `metadata` as its TFLITE_METADATA and with `files` packed behind it, stored.

    Args:
        data: a whole TFLite file that a reader has accepted.
        metadata: an encoded metadata flatbuffer.
        files: all packed files; those that were there and are not named here are dropped.

    Raises:
        ModelError: a file whose weights lie at fixed places (above 2 GiB), or of a newer schema.
    """
    model, _ = split(data)
    return with_files(_layered(model, metadata, name), files)


def buffers(data: bytes) -> list[memoryview]:
    """Every buffer of a TFLite file: the weights, and what its metadata entries hold."""
    return [table.bytes(0) for table in Buffer(data, Budget()).root().tables(_BUFFERS)]


def metadata_of(data: bytes) -> bytes | None:
    """The metadata flatbuffer that is in a TFLite file; None where there is none."""
    root = Buffer(data, Budget()).root()
    named = [entry.number(1, "I") for entry in root.tables(_METADATA) if entry.text(0) == TFLITE_ENTRY]
    held = buffers(data) if named else []
    return bytes(held[named[-1]]) if named and named[-1] < len(held) else None


def _layered(model: bytes, metadata: bytes, name: str) -> bytes:
    import flatbuffers

    root = Buffer(model, Budget()).root()
    _require_movable(root, name)
    padded = model + bytes(-len(model) % _ALIGNMENT)
    # The builder writes from the end to the front, and what is at the end already is the old file.
    builder = flatbuffers.Builder(len(padded) + len(metadata) + 4 * root.count(_BUFFERS) + 4096)
    for part in (padded, _MARK):
        start = builder.head - len(part)
        builder.Bytes[start : builder.head] = part
        builder.head = start
    builder.Prep(_ALIGNMENT, 0)

    def old(at: int) -> int:
        return len(padded) - at

    entries = [old(one.at) for one in root.tables(_METADATA) if one.text(0) != TFLITE_ENTRY]
    held = [old(one.at) for one in root.tables(_BUFFERS)]
    added = aligned_buffer(builder, metadata)
    vectors = {
        _BUFFERS: _vector(builder, [*held, added]),
        _METADATA: _vector(builder, [*entries, _entry(builder, len(held))]),
    }
    builder.StartObject(_LAST + 1)
    builder.PrependUint32Slot(_VERSION, root.number(_VERSION, "I"), 0)
    for slot in range(1, _LAST + 1):
        target = root.target(slot)
        end = vectors.get(slot) or (old(target) if target is not None else 0)
        builder.PrependUOffsetTRelativeSlot(slot, end, 0)
    builder.Finish(builder.EndObject(), IDENTIFIER)
    return bytes(builder.Output())


def aligned_buffer(builder: Any, content: bytes) -> int:
    """Write a buffer of a TFLite file as the schema wants it, at a multiple of 16 bytes; gives its offset."""
    builder.StartVector(1, len(content), _ALIGNMENT)
    start = builder.head - len(content)
    builder.Bytes[start : builder.head] = content
    builder.head = start
    data = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, data, 0)
    end: int = builder.EndObject()
    return end


def _entry(builder: Any, buffer: int) -> int:
    name = builder.CreateString(TFLITE_ENTRY)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint32Slot(1, buffer, 0)
    end: int = builder.EndObject()
    return end


def _vector(builder: Any, ends: Sequence[int]) -> int:
    builder.StartVector(4, len(ends), 4)
    for end in reversed(ends):
        builder.PrependUOffsetTRelative(end)
    whole: int = builder.EndVector()
    return whole


def _require_movable(root: Table, name: str) -> None:
    """Places counted from the start of the file would be wrong behind a new beginning."""
    fixed = any(one.has(1) and one.number(1, "Q") > 1 for one in root.tables(_BUFFERS))
    fixed = fixed or any(
        operator.number(_LARGE_OPTIONS, "Q") > 1 for graph in root.tables(2) for operator in graph.tables(3)
    )
    if fixed:
        raise ModelError(f"{name}: its weights lie outside the flatbuffer.", "Write metadata when you convert it.")
    if any(root.has(slot) for slot in range(_LAST + 1, root.slots)):
        raise ModelError(f"{name}: it is of a newer TFLite schema than Orilla knows.", "Use a newer Orilla.")
