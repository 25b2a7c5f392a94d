"""Writes the texts of an ONNX file (`metadata_props`, `doc_string`) and leaves every other byte as it is.

Only the outermost fields are looked at; the graph with its weights is copied as one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.limits import Budget, DamagedFileError
from orilla_runtime.formats.protobuf import Message

_DOC_STRING, GRAPH, _PROPERTY = 6, 7, 14
_BYTES = 2


def with_properties(
    data: bytes, properties: Mapping[str, str], description: str | None = None, name: str = "the model"
) -> bytes:
    """The file with these entries in its `metadata_props`, key by key, and `description` as its `doc_string`.

    Raises:
        ModelError: damaged or cut.
    """
    kept = []
    try:
        for number, whole, content in top_fields(data):
            replaced = number == _DOC_STRING and description is not None
            if number == _PROPERTY:
                key = Message(data, content.start, content.stop, Budget()).text(1)
                replaced = key in properties
            if not replaced:
                kept.append(data[whole])
    except DamagedFileError as error:
        raise ModelError(f"{name}: the ONNX file is damaged or cut ({error}).", "Get it again.") from error
    if description is not None:
        kept.append(_field(_DOC_STRING, description.encode()))
    for key, value in properties.items():
        kept.append(_field(_PROPERTY, _field(1, key.encode()) + _field(2, value.encode())))
    return b"".join(kept)


def graph_of(data: bytes) -> list[memoryview]:
    """The graph's bytes: operators and weights."""
    return [memoryview(data)[content] for number, _, content in top_fields(data) if number == GRAPH]


def top_fields(data: bytes) -> Iterator[tuple[int, slice, slice]]:
    """Number of each outermost field, the bytes of all of it, and those of its content. Raises DamagedFileError."""
    at = 0
    for number, value in Message.root(data, Budget()).fields():
        start = at
        key, at = _varint(data, at)
        if isinstance(value, Message):
            yield number, slice(start, value.end), slice(value.start, value.end)
            at = value.end
            continue
        content = at
        fixed = {1: 8, 5: 4}.get(key & 7)
        at = at + fixed if fixed else _varint(data, at)[1]
        yield number, slice(start, at), slice(content, at)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number that `Message` has read already, and where the next thing stands."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + struct.pack("B", value)
