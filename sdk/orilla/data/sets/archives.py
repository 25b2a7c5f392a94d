"""The files in a tar, a zip or a folder, one at a time. Nothing is ever written where an archive says."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from orilla_runtime.errors import DataError

MAX_FILE_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 16 * 2**30
MAX_FILES = 1_000_000

_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, NotImplementedError, RuntimeError, MemoryError),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file: its name inside, with `/`, its size in bytes, and what reads it, before the next is asked for.

    The name is what somebody wrote into an archive: no place to write to.
    """

    name: str
    size: int
    read: Callable[[], bytes]


def members(source: Path) -> Iterator[Member]:
    """The regular files of an archive in its order, or of a folder sorted by name; links and devices are passed over.

    Raises:
        DataError: while iterating: no archive, a damaged one, or one that unpacks to more than a set of pictures holds.
    """
    kind = _of_folder if source.is_dir() else _of_zip if _is_zip(source) else _of_tar
    total = count = 0
    try:
        for member in kind(source):
            total, count = total + member.size, count + 1
            if total > MAX_TOTAL_BYTES or count > MAX_FILES:
                raise DataError(
                    f"{source} unpacks to more than {MAX_TOTAL_BYTES / 2**30:.0f} GiB or {MAX_FILES:,} files.",
                    "Check where it is from.",
                )
            yield member
    except _BROKEN as error:
        raise _damaged(source, error) from error


def _is_zip(source: Path) -> bool:
    try:
        return zipfile.is_zipfile(source)
    except OSError:
        return False


def _of_folder(source: Path) -> Iterator[Member]:
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                inside, size = path.relative_to(source).as_posix(), path.stat().st_size
                yield Member(inside, size, partial(_read, source, inside, size, partial(_opened, path)))


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _of_zip(source: Path) -> Iterator[Member]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                name, size = info.filename.replace("\\", "/"), info.file_size
                yield Member(name, size, partial(_read, source, name, size, partial(archive.open, info)))


def _of_tar(source: Path) -> Iterator[Member]:
    with tarfile.open(source, "r:*") as archive:
        for info in archive:
            if info.isreg():
                opened = partial(archive.extractfile, info)
                yield Member(info.name, info.size, partial(_read, source, info.name, info.size, opened))


def _read(source: Path, name: str, size: int, opened: Callable[[], IO[bytes] | None]) -> bytes:
    if size > MAX_FILE_BYTES:
        raise DataError(f"{source}: {name} has {size:,} bytes, too many for a picture.", "Check where it is from.")
    try:
        file = opened()
        assert file is not None
        with file:
            data = file.read(size)
    except _BROKEN as error:
        raise _damaged(source, error) from error
    if len(data) < size:
        raise _damaged(source, EOFError(f"{name} is cut off"))
    return data


def _damaged(source: Path, error: BaseException) -> DataError:
    if isinstance(error, tarfile.ReadError):
        return DataError(f"{source} is no tar and no zip, or damaged.", "Get the file again.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return DataError(f"{source} cannot be read: {reason}.", "Get the file again.")
