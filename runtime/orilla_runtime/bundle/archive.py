"""The container as a reader sees it: parse with strict bounds, compare byte by byte, name what differs."""

from __future__ import annotations

import stat
import zlib
from typing import BinaryIO

from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.layout import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    END,
    END_SIGNATURE,
    LOCAL_SIGNATURE,
    MANIFEST,
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_NAME,
    Entry,
    central_header,
    is_name,
    local_header,
    order,
)

_NONE_16, _NONE_32 = 0xFFFF, 0xFFFFFFFF  # "see the zip64 record"
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_DATA_DESCRIPTOR = 1 << 3
_SEARCH = 1 << 20


def read_entries(file: BinaryIO, length: int, where: str) -> tuple[Entry, ...]:
    """The entries of an open bundle of `length` bytes, in order; only headers are read, no entry's bytes.

    Raises:
        BundleError: the file is not, byte for byte, what the writer puts around these entries.
        OSError: the file cannot be read.
    """
    if length > MAX_BYTES:
        raise refusal(where, "too-large", f"{length} bytes are more than a bundle may have ({MAX_BYTES})")
    count, size, offset = _end_record(file, length, where)
    entries = _central_directory(_read_at(file, offset, size, where), count, where)
    _check_names(entries, where)
    _check_places(entries, offset, where)
    for entry in entries:
        expected = local_header(entry)
        if _read_at(file, entry.offset, len(expected), where) != expected:
            raise refusal(where, "local-header", f"the header of {entry.name} differs from the central directory")
    return entries


def read_data(file: BinaryIO, entry: Entry, where: str) -> bytes:
    """The entry's bytes; the CRC-32 is left to `check_crc`, behind the stronger hash."""
    return _read_at(file, entry.data_offset, entry.size, where)


def check_crc(data: bytes, entry: Entry, where: str) -> None:
    """Refuse bytes that stock unzip would refuse.

    Raises:
        BundleError: fault `wrong-crc`.
    """
    if zlib.crc32(data) != entry.crc32:
        raise refusal(where, "wrong-crc", f"{entry.name} does not have the CRC-32 that its header says")


def _read_at(file: BinaryIO, offset: int, size: int, where: str) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise refusal(where, "truncated", "the file ends too early")
    return data


def _end_record(file: BinaryIO, length: int, where: str) -> tuple[int, int, int]:
    """Number of entries, size and offset of the central directory."""
    tail = _read_at(file, max(0, length - END.size), min(length, END.size), where)
    if len(tail) < END.size or not tail.startswith(END_SIGNATURE):
        raise _no_end_record(file, length, where)
    _, disk, start_disk, on_disk, count, size, offset, comment = END.unpack(tail)
    if _NONE_16 in (disk, start_disk, on_disk, count) or _NONE_32 in (size, offset):
        raise refusal(where, "zip64", "zip64 records are not part of a bundle")
    if comment:
        raise refusal(where, "comment", "a zip comment is not part of a bundle")
    if disk or start_disk or on_disk != count:
        raise refusal(where, "end-record", "a bundle is one file, not a part of a split one")
    if count > MAX_ENTRIES:
        raise refusal(where, "too-many-entries", f"{count} entries are more than a bundle may have ({MAX_ENTRIES})")
    if count == 0:
        raise refusal(where, "no-manifest", f"there is no {MANIFEST} in it")
    surplus = length - END.size - size - offset
    if surplus < 0:
        raise refusal(where, "truncated", f"{-surplus} bytes are missing")
    if surplus > 0:
        raise _surplus(file, length - END.size - size, surplus, where)
    if size > count * (CENTRAL.size + MAX_NAME):
        raise refusal(where, "central-header", "the central directory is larger than its entries")
    return count, size, offset


def _no_end_record(file: BinaryIO, length: int, where: str) -> Exception:
    """Why the last bytes are no end record."""
    start = max(0, length - _SEARCH)
    window = _read_at(file, start, length - start, where)
    at = window.rfind(END_SIGNATURE)
    while at >= 0:
        record = window[at : at + END.size]
        if len(record) == END.size:
            *_, size, offset, comment = END.unpack(record)
            behind = length - start - at - END.size
            # An artifact may hold a zip file of its own (TFLite's metadata): only a record in its place counts.
            if size + offset == start + at:
                if comment == behind:
                    return refusal(where, "comment", "a zip comment is not part of a bundle")
                return refusal(where, "trailing-bytes", f"{behind} bytes stand behind the end of the bundle")
        at = window.rfind(END_SIGNATURE, 0, at)
    if length and LOCAL_SIGNATURE.startswith(_read_at(file, 0, min(length, 4), where)):
        return refusal(where, "truncated", "the end of the file is missing")
    return refusal(where, "not-a-zip", "this is not a bundle" if length else "the file is empty")


def _surplus(file: BinaryIO, directory: int, surplus: int, where: str) -> Exception:
    """Why the central directory does not begin where the end record says."""
    moved = _read_at(file, directory, len(CENTRAL_SIGNATURE), where) == CENTRAL_SIGNATURE
    if moved:
        return refusal(where, "leading-bytes", f"{surplus} bytes stand before the bundle")
    return refusal(where, "gap", f"{surplus} bytes stand behind the central directory")


def _central_directory(central: bytes, count: int, where: str) -> tuple[Entry, ...]:
    entries, at = [], 0
    for _ in range(count):
        entry, record = _central_record(central, at, where)
        if record != central_header(entry):
            raise refusal(where, "central-header", f"the record of {entry.name} is not one that Orilla writes")
        entries.append(entry)
        at += len(record)
    if at != len(central):
        raise refusal(where, "central-header", "the central directory is larger than its entries")
    return tuple(entries)


def _central_record(central: bytes, at: int, where: str) -> tuple[Entry, bytes]:
    """The record at `at`, with the faults that have names of their own refused; the caller compares the rest."""
    fixed = central[at : at + CENTRAL.size]
    if len(fixed) < CENTRAL.size or not fixed.startswith(CENTRAL_SIGNATURE):
        raise refusal(where, "central-header", "the central directory does not hold the entries that it counts")
    fields = CENTRAL.unpack(fixed)
    flags, method, crc32, packed, size, name_size, extra_size, comment_size = (fields[i] for i in (3, 4, *range(7, 13)))
    attributes, offset = fields[15:]
    end = at + CENTRAL.size + name_size
    raw = central[at + CENTRAL.size : end]
    name = ascii(raw.decode("utf-8", "backslashreplace"))
    if _NONE_32 in (packed, size, offset) or (extra_size and central[end : end + 2] == b"\x01\x00"):
        raise refusal(where, "zip64", "zip64 records are not part of a bundle")
    for wrong, fault, what in (
        (flags & _ENCRYPTED, "encrypted", "is encrypted"),
        (method, "compressed", "is compressed"),
        (flags & _DATA_DESCRIPTOR, "data-descriptor", "has its size behind its bytes"),
        (stat.S_ISLNK(attributes >> 16), "link", "is a symbolic link"),
        (extra_size, "extra-field", "has an extra field"),
        (comment_size, "comment", "has a comment"),
    ):
        if wrong:
            raise refusal(where, fault, f"the entry {name} {what}, which is not part of a bundle")
    if max(packed, size) > MAX_BYTES:
        raise refusal(where, "too-large", f"the entry {name} claims {max(packed, size)} bytes")
    if not raw.isascii() or not is_name(raw.decode("ascii")):
        raise refusal(where, "entry-name", f"an entry must not be called {name}")
    return Entry(raw.decode("ascii"), size, crc32, offset), central[at:end]


def _check_names(entries: tuple[Entry, ...], where: str) -> None:
    names = [entry.name for entry in entries]
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            fault = "duplicate-entry" if other == name else "case-clash"
            raise refusal(where, fault, f"the entries {other} and {name} are one file on some systems")
    for name in names:
        parent = name.lower().rpartition("/")[0]
        while parent:
            if parent in seen:
                raise refusal(where, "entry-name", f"the entry {seen[parent]} cannot be a folder too ({name})")
            parent = parent.rpartition("/")[0]
    if MANIFEST not in names:
        raise refusal(where, "no-manifest", f"there is no {MANIFEST} in it")
    if names != sorted(names, key=order):
        raise refusal(where, "entry-order", f"the entries do not stand in order, {MANIFEST} first")


def _check_places(entries: tuple[Entry, ...], directory: int, where: str) -> None:
    """Each entry must begin where the one before ends, and the central directory behind the last."""
    position = 0
    for entry in entries:
        _check_place(entry.offset, position, entry.name, where)
        position = entry.end
        if entry.size > directory:
            raise refusal(where, "too-large", f"{entry.name} claims {entry.size} bytes, more than the file has")
    _check_place(directory, position, "the central directory", where)


def _check_place(offset: int, position: int, what: str, where: str) -> None:
    if offset < position:
        raise refusal(where, "overlap", f"{what} begins inside the entry before it")
    if offset > position:
        fault = "gap" if position else "leading-bytes"
        raise refusal(where, fault, f"{offset - position} bytes stand before {what}")
