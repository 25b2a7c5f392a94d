"""Write a bundle: the same manifest and entries give the same bytes, and the file is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from orilla_runtime.bundle.checks import check_manifest
from orilla_runtime.bundle.codec import decode_manifest, encode_manifest
from orilla_runtime.bundle.layout import MANIFEST, MAX_BYTES, MAX_ENTRIES, Entry, directory, is_name, local_header
from orilla_runtime.bundle.manifest import FileEntry
from orilla_runtime.bundle.raw_manifest import AnyManifest
from orilla_runtime.errors import BundleError
from orilla_runtime.files import replaced

_CHUNK = 1 << 20
_REMEDY = "Nothing was written; correct what goes into the bundle."


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry to be written, measured."""

    name: str
    source: bytes | Path
    size: int
    crc32: int
    sha256: str


def write_bundle(path: str | Path, manifest: AnyManifest, entries: Mapping[str, bytes | Path]) -> str:
    """Write a bundle and return its id, the sha256 of its manifest.json in hexadecimal digits.

    `entries` are the files beside the manifest (`artifacts/x.tflite`), as bytes or as files that are copied piece by
    piece; `manifest.files` is made from them, whatever it held. What the reader would refuse is not written.

    Raises:
        BundleError: the manifest or an entry's name breaks the format (`fault` says how), or an entry's file cannot
            be read or changed meanwhile.
        SinkError: the bundle cannot be written there, or the disk is full; a file that was there is as it was.
    """
    where = str(path)
    with _nothing_written():
        parts = [_measure(name, entries[name], where) for name in sorted(_checked(entries, where))]
        files = tuple(FileEntry(part.name, part.size, part.sha256) for part in parts)
        data = encode_manifest(replace(manifest, files=files), where)
        check_manifest(decode_manifest(data, where), {part.name: part.size for part in parts}, where)
        parts.insert(0, _measure(MANIFEST, data, where))
        placed = _place(parts, where)
    # A link stays a link: the file that it points to is replaced.
    with replaced(Path(os.path.realpath(path))) as beside, beside.open("xb") as file:
        for part, entry in zip(parts, placed, strict=True):
            file.write(local_header(entry))
            _copy(part, file, where)
        file.write(directory(placed))
        file.flush()
        # Without this a power cut after the rename could leave an empty file under the bundle's name.
        os.fsync(file.fileno())
    return parts[0].sha256


@contextmanager
def _nothing_written() -> Iterator[None]:
    """The reader's remedies (copy the file again) do not help someone who writes."""
    try:
        yield
    except BundleError as error:
        raise BundleError(error.message, _REMEDY, fault=error.fault) from None


def _checked(entries: Mapping[str, bytes | Path], where: str) -> Mapping[str, bytes | Path]:
    if len(entries) >= MAX_ENTRIES:
        raise BundleError(f"{where}: {len(entries)} entries are too many.", fault="too-many-entries")
    seen: dict[str, str] = {}
    for name in entries:
        if not is_name(name) or name == MANIFEST:
            raise BundleError(f"{where}: an entry must not be called {name!a}.", fault="entry-name")
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise BundleError(f"{where}: {other} and {name} are one file on some systems.", fault="case-clash")
    for name in entries:
        folders = name.lower().split("/")
        for depth in range(1, len(folders)):
            if "/".join(folders[:depth]) in seen:
                raise BundleError(f"{where}: an entry is the folder of {name}.", fault="entry-name")
    return entries


def _place(parts: list[_Part], where: str) -> list[Entry]:
    placed: list[Entry] = []
    for part in parts:
        placed.append(Entry(part.name, part.size, part.crc32, placed[-1].end if placed else 0))
    length = placed[-1].end + len(directory(placed)) if placed[-1].end <= MAX_BYTES else placed[-1].end
    if length > MAX_BYTES:
        raise BundleError(f"{where}: {length} bytes are more than a bundle may have.", fault="too-large")
    return placed


def _measure(name: str, source: bytes | Path, where: str) -> _Part:
    size, crc32, digest = 0, 0, hashlib.sha256()
    for chunk in _chunks(name, source, where):
        size += len(chunk)
        crc32 = zlib.crc32(chunk, crc32)
        digest.update(chunk)
    return _Part(name, source, size, crc32, digest.hexdigest())


def _copy(part: _Part, file: BinaryIO, where: str) -> None:
    """Write the part's bytes, and make sure that they are those that were measured."""
    size, crc32 = 0, 0
    for chunk in _chunks(part.name, part.source, where):
        file.write(chunk)
        size += len(chunk)
        crc32 = zlib.crc32(chunk, crc32)
    if (size, crc32) != (part.size, part.crc32):
        raise BundleError(f"{where}: {part.source!s} changed while it was read.", _REMEDY, fault="changed-source")


def _chunks(name: str, source: bytes | Path, where: str) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    try:
        # Opening a pipe would wait for its other end.
        if not source.is_file():
            raise BundleError(f"{where}: {source}, to be {name}, is not a file.", _REMEDY, fault="no-source")
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        what = f"{source}, to be {name}, cannot be read: {error.strerror or error}"
        raise BundleError(f"{where}: {what}.", _REMEDY, fault="no-source") from error
