"""A minimal reader of the protobuf wire format: lazy, bounds-checked, without recursion.

A message is a slice of the file; its fields are found by walking over it, and the values of large fields (weights) are
never copied.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from orilla_runtime.formats.limits import Budget, CutFieldError, DamagedFileError
from orilla_runtime.records import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the part of the file from `start` to `end`."""

    data: bytes
    start: int
    end: int
    budget: Budget

    @classmethod
    def root(cls, data: bytes, budget: Budget) -> Message:
        """The whole file as a message."""
        return cls(data, 0, len(data), budget)

    def fields(self) -> Iterator[tuple[int, int | Message]]:
        """Field number and value: a whole number, or a message for everything that has a length."""
        at = self.start
        while at < self.end:
            self.budget.spend()
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise DamagedFileError("a field has the number 0")
            if kind == _VARINT:
                value, at = self._varint(at)
                yield number, value
            elif kind == _BYTES:
                length, at = self._varint(at)
                if length > self.end - at:
                    raise CutFieldError(number)
                yield number, Message(self.data, at, at + length, self.budget)
                at += length
            elif kind in {_FIXED64, _FIXED32}:
                width = 8 if kind == _FIXED64 else 4
                if width > self.end - at:
                    raise CutFieldError(number)
                yield number, int.from_bytes(self.data[at : at + width], "little")
                at += width
            else:
                raise DamagedFileError(f"a field has the unknown wire type {kind}")

    def messages(self, number: int) -> Iterator[Message]:
        """Every field `number` that has a length."""
        for found, value in self.fields():
            if found == number and isinstance(value, Message):
                yield value

    def message(self, number: int) -> Message | None:
        """The last field `number` that has a length, as protobuf rules."""
        last = None
        for last in self.messages(number):  # noqa: B007
            pass
        return last

    def text(self, number: int) -> str:
        """A string field; empty where it is absent."""
        found = self.message(number)
        return found.as_text() if found else ""

    def number(self, field: int, default: int = 0) -> int:
        """A signed whole number; `default` where it is absent."""
        result = default
        for found, value in self.fields():
            if found == field and isinstance(value, int):
                result = value - (1 << 64) if value >> 63 else value
        return result

    def raw(self) -> bytes:
        """The bytes of a field that has a length."""
        return self.data[self.start : self.end]

    def as_text(self) -> str:
        """The field as a string; bytes that are no UTF-8 are shown as escapes."""
        self.budget.spend((self.end - self.start) // 8)
        return self.raw().decode("utf-8", "backslashreplace")

    def numbers(self, field: int) -> tuple[int, ...]:
        """A repeated whole number, packed or not."""
        result: list[int] = []
        for found, value in self.fields():
            if found != field:
                continue
            if isinstance(value, int):
                result.append(value)
            else:
                at = value.start
                while at < value.end:
                    self.budget.spend()
                    one, at = value._varint(at)
                    result.append(one)
        return tuple(value - (1 << 64) if value >> 63 else value for value in result)

    def first_float(self, field: int) -> float | None:
        """The first value of a repeated float, packed or not."""
        for found, value in self.fields():
            if found == field:
                raw = value.to_bytes(8, "little")[:4] if isinstance(value, int) else value.raw()[:4]
                return float(struct.unpack("<f", raw)[0]) if len(raw) == 4 else None
        return None

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= self.end:
                raise DamagedFileError("it ends in the middle of a number")
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at
        raise DamagedFileError("a number is too long")
