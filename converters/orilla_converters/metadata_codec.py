"""TFLite metadata <-> plain dictionaries, whole: what is read and not changed is written again as it was.

A table is a dictionary of the fields that are there; a union is `(name of the table, dictionary or None)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orilla_converters.metadata_schema import IDENTIFIER, ROOT, SCHEMA_VERSION, TABLES
from orilla_runtime.errors import ModelError
from orilla_runtime.formats.flatbuffer import Buffer, Table
from orilla_runtime.formats.limits import Budget, DamagedFileError

Record = dict[str, Any]

_NUMBERS = {"byte": "b", "uint": "I", "int": "i"}
_LISTS = {"floats": "f", "uints": "I"}


def decode_metadata(data: bytes | memoryview, name: str = "the model") -> Record:
    """The metadata of a `TFLITE_METADATA` buffer.

    Raises:
        ModelError: damaged, or with fields that are newer than the schema known here; the message opens with `name`.
    """
    try:
        return _read(Buffer(data, Budget()).root(), ROOT)
    except DamagedFileError as error:
        raise ModelError(f"{name}: its metadata are damaged ({error}).", "Get the model again.") from error
    except _NewerError as error:
        raise ModelError(
            f"{name}: its metadata hold {error}, which is newer than the schema {SCHEMA_VERSION} that Orilla writes.",
            "Use a newer Orilla: this one would lose it.",
        ) from error


class _NewerError(Exception):
    """A field or a table that the schema here does not have."""


def _slots(fields: Sequence[tuple[str, str]]) -> list[tuple[int, str, str]]:
    """Slot, name and kind of each field; a union's slot is that of its number."""
    found, slot = [], 0
    for name, kind in fields:
        found.append((slot, name, kind))
        slot += 2 if kind.startswith("union ") else 1
    return found


def _read(table: Table, kind: str) -> Record:
    fields = TABLES[kind]
    known = sum(2 if one.startswith("union ") else 1 for _, one in fields)
    if any(table.has(slot) for slot in range(known, table.slots)):
        raise _NewerError(f"an unknown field of {kind}")
    record: Record = {}
    for slot, name, one in _slots(fields):
        if table.has(slot):
            record[name] = _read_field(table, slot, one)
    return record


def _read_field(table: Table, slot: int, kind: str) -> Any:
    word, *names = kind.split()
    if word in _NUMBERS:
        return table.number(slot, _NUMBERS[word])
    if word in _LISTS:
        return list(table.numbers(slot, _LISTS[word]))
    if word == "tables":
        return [_read(one, names[0]) for one in table.tables(slot)]
    if word == "union":
        return _read_union(table, slot, names)
    if word == "table":
        inner = table.table(slot)
        assert inner is not None
        return _read(inner, names[0])
    readers: Mapping[str, Callable[[], Any]] = {
        "text": lambda: _text(table.bytes(slot)),
        "texts": lambda: [_text(one) for one in table.texts(slot)],
        "float": lambda: table.real(slot),
        "blob": lambda: bytes(table.bytes(slot)),
    }
    return readers[word]()


def _read_union(table: Table, slot: int, names: Sequence[str]) -> tuple[str, Record | None] | None:
    number, value = table.number(slot, "B"), table.table(slot + 1)
    if number > len(names):
        raise _NewerError(f"a table of the kind {number} where {len(names)} are known")
    if not number:
        return None
    # Some writers name a table without fields and leave it out.
    return names[number - 1], _read(value, names[number - 1]) if value else None


def _text(raw: memoryview) -> str:
    """Bytes that are no UTF-8 survive as lone surrogates, and are written again as they were."""
    return str(raw, "utf-8", "surrogateescape")


def encode_metadata(record: Record) -> bytes:
    """The bytes of a `TFLITE_METADATA` buffer; the same record gives the same bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, record, ROOT), IDENTIFIER)
    return bytes(builder.Output())


def _write(builder: Any, record: Record, kind: str) -> int:
    """Children first: a table can only point at what is there already."""
    ready: list[tuple[Callable[..., None], int, Any]] = []
    for slot, name, one in _slots(TABLES[kind]):
        value = record.get(name)
        if value is None:
            continue
        word, *names = one.split()
        if word == "byte":
            ready.append((builder.PrependInt8Slot, slot, value))
        elif word == "int":
            ready.append((builder.PrependInt32Slot, slot, value))
        elif word == "uint":
            ready.append((builder.PrependUint32Slot, slot, value))
        elif word == "float":
            ready.append((builder.PrependFloat32Slot, slot, value))
        elif word == "union":
            table, inner = value
            ready.append((builder.PrependUint8Slot, slot, names.index(table) + 1))
            if inner is not None:
                ready.append((builder.PrependUOffsetTRelativeSlot, slot + 1, _write(builder, inner, table)))
        else:
            ready.append((builder.PrependUOffsetTRelativeSlot, slot, _write_offset(builder, value, word, names)))
    builder.StartObject(max((slot for _, slot, _ in ready), default=-1) + 1)
    for prepend, slot, value in ready:
        prepend(slot, value, 0)
    end: int = builder.EndObject()
    return end


def _write_offset(builder: Any, value: Any, word: str, names: Sequence[str]) -> int:
    """A field that lies elsewhere: a string, a list, a table or bytes."""
    if word == "text":
        return _string(builder, value)
    if word == "texts":
        return _offsets(builder, [_string(builder, one) for one in value])
    if word == "table":
        return _write(builder, value, names[0])
    if word == "tables":
        return _offsets(builder, [_write(builder, one, names[0]) for one in value])
    if word == "blob":
        # The schema asks for 16 bytes of alignment.
        builder.StartVector(1, len(value), 16)
        for byte in reversed(value):
            builder.PrependByte(byte)
    else:
        builder.StartVector(4, len(value), 4)
        prepend = builder.PrependFloat32 if word == "floats" else builder.PrependUint32
        for one in reversed(value):
            prepend(one if word == "floats" else int(one))
    end: int = builder.EndVector()
    return end


def _string(builder: Any, text: str) -> int:
    end: int = builder.CreateString(text.encode("utf-8", "surrogateescape"))
    return end


def _offsets(builder: Any, ends: Sequence[int]) -> int:
    builder.StartVector(4, len(ends), 4)
    for end in reversed(ends):
        builder.PrependUOffsetTRelative(end)
    whole: int = builder.EndVector()
    return whole
