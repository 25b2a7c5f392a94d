"""Which files of a folder are pictures, in an order that people expect and that is the same everywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif"}
    | {".heic", ".heif"}
)
"""Names that are taken from a folder. HEIC is among them so that it is refused by name and not left out in silence."""


def is_picture_name(name: str) -> bool:
    """A visible file whose suffix, in upper or lower case, is that of a picture."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122


def natural_key(path: str | Path) -> list[list[str | int]]:
    """Sorts `frame9.png` before `frame10.png`, folder by folder."""
    return [
        [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))]
        for name in Path(path).parts
    ]


def list_pictures(folder: str | Path, *, never: str | Path | None = None) -> Iterator[Path]:
    """The pictures of a folder and its subfolders, told by their names; a folder's own come first.

    Hidden files and folders are skipped. Links to folders are followed, but no folder is entered twice, and `never` not
    at all, so that a loop of links ends. A broken link with a picture's name is listed: reading it says what is wrong.

    Raises:
        OSError: a folder that cannot be listed.
    """
    entered = set() if never is None else {_identity(Path(never))}
    waiting = [Path(folder)]
    while waiting:
        current = waiting.pop()
        identity = _identity(current)
        if identity in entered:
            continue
        entered.add(identity)
        with os.scandir(current) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        folders = {entry.name for entry in visible if _is_folder(entry)}
        names = [entry.name for entry in visible if entry.name not in folders and is_picture_name(entry.name)]
        yield from (current / name for name in sorted(names, key=_order))
        waiting.extend(current / name for name in sorted(folders, key=_order, reverse=True))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _order(name: str) -> tuple[list[list[str | int]], str]:
    return natural_key(name), name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself
        return False
