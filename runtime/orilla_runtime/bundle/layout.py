"""The bytes of the container: each header of the zip file is a function of (name, size, crc32, offset).

The writer emits these bytes and the reader compares with them, so there is one form and no other is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from orilla_runtime.records import dataclass

MANIFEST = "manifest.json"
MAX_BYTES = 2**31 - 1
"""Of a whole bundle: every offset and size fits a signed 32-bit number, and zip64 is never needed."""
MAX_ENTRIES = 4096
MAX_NAME = 200

LOCAL_SIGNATURE = b"PK\x03\x04"
CENTRAL_SIGNATURE = b"PK\x01\x02"
END_SIGNATURE = b"PK\x05\x06"

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")

_VERSION_NEEDED = 20
_MADE_BY = 3 << 8 | _VERSION_NEEDED  # Unix, so that the attributes below are a file mode
_ATTRIBUTES = 0o100644 << 16
_FLAGS = 0
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00, the first moment that a zip file can name

# ASCII alone: there is nothing to normalize, and the name is the same on every file system.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,@-."
# Devices on Windows, with any suffix; unpacking such a name would write to the device.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `offset` is where its local header begins."""

    name: str
    size: int
    crc32: int
    offset: int

    @property
    def data_offset(self) -> int:
        """Where its bytes begin."""
        return self.offset + LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        """Where its bytes end, which is where the next header begins."""
        return self.data_offset + self.size


def is_name(name: str) -> bool:
    """Whether an entry may be called so: `part/part…` in ASCII, safe to unpack on every system."""
    parts = name.split("/")
    return len(name) <= MAX_NAME and all(map(_is_part, parts))


def _is_part(part: str) -> bool:
    if not part or part.strip(_LETTERS) or part[0] == "." or part[-1] == ".":
        return False
    return part.partition(".")[0].lower() not in _DEVICES


def order(name: str) -> tuple[bool, str]:
    """The key by which entries are sorted: the manifest first, the others by name."""
    return (name != MANIFEST, name)


def local_header(entry: Entry) -> bytes:
    """What stands before the entry's bytes."""
    name = entry.name.encode("ascii")
    return (
        LOCAL.pack(
            LOCAL_SIGNATURE,
            _VERSION_NEEDED,
            _FLAGS,
            _STORED,
            _TIME,
            _DATE,
            entry.crc32,
            entry.size,
            entry.size,
            len(name),
            0,
        )
        + name
    )


def central_header(entry: Entry) -> bytes:
    """The entry's record in the central directory."""
    name = entry.name.encode("ascii")
    return (
        CENTRAL.pack(
            CENTRAL_SIGNATURE,
            _MADE_BY,
            _VERSION_NEEDED,
            _FLAGS,
            _STORED,
            _TIME,
            _DATE,
            entry.crc32,
            entry.size,
            entry.size,
            len(name),
            0,
            0,
            0,
            0,
            _ATTRIBUTES,
            entry.offset,
        )
        + name
    )


def directory(entries: Sequence[Entry]) -> bytes:
    """Everything behind the last entry's bytes: the central directory and the end record."""
    central = b"".join(central_header(entry) for entry in entries)
    count, offset = len(entries), entries[-1].end
    return central + END.pack(END_SIGNATURE, 0, 0, count, count, len(central), offset, 0)
