"""A minimal FlatBuffers walker: every offset is checked against the file before it is followed.

The schema lives in the caller, as slot numbers; nothing here recurses, and a `Budget` bounds the work.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from orilla_runtime.formats.limits import Budget, DamagedFileError


class Buffer:
    """The file's bytes with their budget."""

    __slots__ = ("budget", "data")

    def __init__(self, data: bytes | memoryview, budget: Budget) -> None:
        self.data = data
        self.budget = budget

    def unpack(self, code: str, at: int) -> int | float:
        """One little-endian number of the struct code `code`."""
        if at < 0 or at + struct.calcsize(code) > len(self.data):
            raise DamagedFileError("an offset points outside the file")
        value: int | float = struct.unpack_from("<" + code, self.data, at)[0]
        return value

    def offset(self, at: int) -> int:
        """Where the unsigned 32-bit offset at `at` points."""
        return at + int(self.unpack("I", at))

    def root(self) -> Table:
        """The root table."""
        return Table(self, self.offset(0))


class Table:
    """One table: fields by slot number; a field that is absent gives its default. A file has thousands."""

    __slots__ = ("at", "buffer")

    def __init__(self, buffer: Buffer, at: int) -> None:
        self.buffer = buffer
        self.at = at

    def _field(self, slot: int) -> int | None:
        self.buffer.budget.spend()
        vtable = self.at - int(self.buffer.unpack("i", self.at))
        size = int(self.buffer.unpack("H", vtable))
        entry = 4 + 2 * slot
        if entry + 2 > size:
            return None
        relative = int(self.buffer.unpack("H", vtable + entry))
        return self.at + relative if relative else None

    @property
    def slots(self) -> int:
        """How many slots the table speaks of; those behind are absent."""
        vtable = self.at - int(self.buffer.unpack("i", self.at))
        return max(0, int(self.buffer.unpack("H", vtable)) - 4) // 2

    def has(self, slot: int) -> bool:
        """Whether a field is there."""
        return self._field(slot) is not None

    def target(self, slot: int) -> int | None:
        """Where the string, list or table of a field lies in the file; None where it is absent."""
        at = self._field(slot)
        return None if at is None else self.buffer.offset(at)

    def real(self, slot: int) -> float:
        """A float32; 0 where it is absent."""
        at = self._field(slot)
        return 0.0 if at is None else float(self.buffer.unpack("f", at))

    def number(self, slot: int, code: str, default: int = 0) -> int:
        """A whole number of the struct code `code`."""
        at = self._field(slot)
        return default if at is None else int(self.buffer.unpack(code, at))

    def table(self, slot: int) -> Table | None:
        """A table, or the value of a union."""
        at = self._field(slot)
        return None if at is None else Table(self.buffer, self.buffer.offset(at))

    def _vector(self, slot: int, width: int) -> tuple[int, int]:
        """Place of the first element, and number of elements that lie wholly inside the file."""
        at = self._field(slot)
        if at is None:
            return 0, 0
        start = self.buffer.offset(at)
        count = int(self.buffer.unpack("I", start))
        if start + 4 + count * width > len(self.buffer.data):
            raise DamagedFileError("a list reaches beyond the end of the file")
        return start + 4, count

    def tables(self, slot: int) -> Iterator[Table]:
        """A vector of tables."""
        start, count = self._vector(slot, 4)
        for index in range(count):
            self.buffer.budget.spend()
            yield Table(self.buffer, self.buffer.offset(start + 4 * index))

    def table_at(self, slot: int, index: int) -> Table | None:
        """One of a vector of tables; None where it has no such element."""
        start, count = self._vector(slot, 4)
        return Table(self.buffer, self.buffer.offset(start + 4 * index)) if 0 <= index < count else None

    def count(self, slot: int, width: int = 4) -> int:
        """Number of elements of a vector whose elements have `width` bytes."""
        return self._vector(slot, width)[1]

    def numbers(self, slot: int, code: str) -> tuple[float, ...]:
        """A vector of numbers; empty where it is absent."""
        start, count = self._vector(slot, struct.calcsize(code))
        self.buffer.budget.spend(count)
        return struct.unpack_from(f"<{count}{code}", self.buffer.data, start) if count else ()

    def integers(self, slot: int, code: str = "i") -> tuple[int, ...]:
        """A vector of whole numbers."""
        return tuple(int(value) for value in self.numbers(slot, code))

    def first(self, slot: int, code: str) -> float | None:
        """The first element of a vector of numbers."""
        start, count = self._vector(slot, struct.calcsize(code))
        return self.buffer.unpack(code, start) if count else None

    def bytes(self, slot: int) -> memoryview:
        """A vector of bytes, not copied."""
        start, count = self._vector(slot, 1)
        return memoryview(self.buffer.data)[start : start + count]

    def texts(self, slot: int) -> Iterator[memoryview]:
        """A vector of strings, as bytes that are not copied."""
        start, count = self._vector(slot, 4)
        for index in range(count):
            self.buffer.budget.spend()
            at = self.buffer.offset(start + 4 * index)
            length = int(self.buffer.unpack("I", at))
            if at + 4 + length > len(self.buffer.data):
                raise DamagedFileError("a text reaches beyond the end of the file")
            yield memoryview(self.buffer.data)[at + 4 : at + 4 + length]

    def text(self, slot: int) -> str:
        """A string; bytes that are no UTF-8 are shown as escapes."""
        raw = self.bytes(slot)
        self.buffer.budget.spend(len(raw) // 8)
        return str(raw, "utf-8", "backslashreplace")
