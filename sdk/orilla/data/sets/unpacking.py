"""Pictures of arrays and archives become a folder of files with a `labels.csv`, there whole or not at all.

Every later step then sees files, whatever the pictures came in.
"""

from __future__ import annotations

import csv
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import DataError, SourceError
from orilla_runtime.sources.picture import decode_picture
from orilla_runtime.tuning.cache import cache_folder

LABELS = "labels.csv"
FORMAT = "1"
"""Part of every cache folder's name: raised when what is written changes."""

_CHUNK, _CHUNK_BYTES = 64, 32 * 2**20
"""Pictures that wait at a time, and the bytes of their files."""

_STALE_SECONDS = 24 * 3600.0
_PART = ".part"

Told = Callable[[int], None]
"""Is called with the number of pictures written so far."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on its way into a folder: `path` below it, with `/`; the bytes of its file; None without a label.

    `columns`: what `labels.csv` says besides, such as `split`; the same names for all pictures of a set.
    """

    path: str
    content: bytes
    label: str | None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was written: `labels.csv`, how many pictures, and the names of those that were damaged and left out."""

    labels: Path
    pictures: int
    damaged: tuple[str, ...] = ()


def unpack(
    pictures: Iterable[Picture],
    target: Path,
    *,
    check: bool = False,
    replace: bool = False,
    told: Told | None = None,
) -> Unpacked:
    """Write pictures and `labels.csv` into the folder `target`, which must be missing or empty.

    Args:
        check: decode each picture once; those that cannot be decoded are left out and counted.
        replace: in the end remove a folder that is there, whatever it holds.

    Raises:
        DataError: no pictures, or what `pictures` raises. All is as it was before then.
    """
    if not replace and target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target} is not empty.", "Give the name of a new folder.")
    with _whole(target) as part:
        count, damaged = _write(pictures, part, check=check, told=told)
        if not count:
            raise DataError(f"No picture is left for {target}: {len(damaged)} are damaged.", "Get the set again.")
        if replace:
            shutil.rmtree(target, ignore_errors=True)
    return Unpacked(target / LABELS, count, damaged)


def cached(
    digest: str, make: Callable[[], Iterable[Picture]], *, check: bool = False, told: Told | None = None
) -> Path:
    """The `labels.csv` in the user's cache of what `make` gives; `digest` names its folder. Made only once.

    Raises:
        DataError: there is no place for a cache, or what `make` raises.
    """
    folder = data_cache() / digest
    labels = folder / LABELS
    if labels.is_file():
        return labels
    remove_stale(folder.parent)
    if folder.exists() and not labels.is_file():
        shutil.rmtree(folder, ignore_errors=True)  # what is left of a set that somebody deleted in part
    try:
        unpack(make(), folder, check=check, told=told)
    except DataError:
        if not labels.is_file():  # else another process was faster
            raise
    return labels


def remove_stale(folder: Path) -> None:
    """Remove from the cache what processes that were killed left half-written."""
    with suppress(OSError):
        for part in folder.glob(f".*{_PART}"):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(part, ignore_errors=True)


def data_cache() -> Path:
    """The folder for unpacked sets in the user's cache.

    Raises:
        DataError: the user has no home.
    """
    folder = cache_folder("data")
    if folder is None:
        raise DataError("There is no folder for a cache.", "Name one in the variable XDG_CACHE_HOME.")
    return folder


def folder_name(label: str) -> str:
    """A class's name as that of a folder on every system: `T-shirt/top` is `T-shirt_top`."""
    return re.sub(r"[^\w -]", "_", label).strip(" _")[:60] or "class"


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Yields a new folder beside `target` that takes its place when the block ends well, and is gone otherwise."""
    part = target.with_name(f".{secrets.token_hex(8)}{_PART}")
    try:
        part.mkdir(parents=True)
        yield part
        with suppress(FileNotFoundError):
            target.rmdir()
        part.rename(target)
    except OSError as error:
        if (target / LABELS).is_file():
            return  # Another process was faster, and its pictures are the same.
        raise DataError(f"{target}: {error.strerror or error}.", "Write to another place, or free space.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(pictures: Iterable[Picture], part: Path, *, check: bool, told: Told | None) -> tuple[int, tuple[str, ...]]:
    count, damaged = 0, []
    place = partial(_place, part, check)
    with (
        (part / LABELS).open("w", encoding="utf-8", newline="") as file,
        ThreadPoolExecutor(usable_cpus()) as pool,
    ):
        table = csv.writer(file, lineterminator="\n")
        for chunk in _chunks(pictures):
            for picture, is_sound in zip(chunk, pool.map(place, chunk), strict=True):
                if not is_sound:
                    damaged.append(picture.path)
                    continue
                if not count:
                    table.writerow(_header(picture))
                table.writerow(_cells(picture))
                count += 1
            if told:
                told(count)
    return count, tuple(damaged)


def _header(picture: Picture) -> list[str]:
    return ["path", *(() if picture.label is None else ("label",)), *picture.columns]


def _cells(picture: Picture) -> list[str]:
    return [picture.path, *(() if picture.label is None else (picture.label,)), *picture.columns.values()]


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    chunk, size = [], 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture.content)
        if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _place(part: Path, check: bool, picture: Picture) -> bool:
    """Write the file of a picture, unless it is to be checked and damaged; two pictures never share a file."""
    if check:
        try:
            decode_picture(picture.content, picture.path)
        except SourceError:
            return False
    path = part / picture.path
    try:
        file = path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    with file:
        file.write(picture.content)
    return True
