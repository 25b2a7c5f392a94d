"""From what a person gives as data to labelled pictures: a folder with a subfolder a class, a CSV or a JSONL."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.labelled.lines import read_lines
from orilla_runtime.labelled.rows import pictures_of, spelled_alike
from orilla_runtime.labelled.table import read_table
from orilla_runtime.sources.listing import is_picture_name, list_pictures

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_LAYOUT = "Give a folder with a subfolder for each class, or a CSV or JSONL with `path` and `label` or `class_id`."
_TABLES = {".csv": read_table, ".jsonl": read_lines, ".ndjson": read_lines}


def read_labelled(data: str | Path, *, labelled: bool = True) -> LabelledImages:
    """The pictures of a folder, of a CSV or of a JSONL; pictures are told by their names, none is opened.

    A folder's subfolders are the classes, in the order of their sorted names; what lies in them at any depth is theirs,
    and hidden files and folders are skipped. With `labelled=False` a folder of pictures without classes, or a table
    with `path` alone, is taken too (`class_ids` is None then). Classes that may be one in two spellings are warned of.

    Raises:
        DataError: no such folder or table, no pictures, a class without pictures, or a table that is not in order.
    """
    images = _read(data, labelled=labelled)
    for names in spelled_alike(images):
        counted = " and ".join(f"{name!r} ({_count(images, name)})" for name in names)
        logging.getLogger(__name__).warning(
            "%s: %s are different classes by their spelling; if they are one, spell them the same.", data, counted
        )
    return images


def _count(images: LabelledImages, name: str) -> int:
    ids = [index for index, known in enumerate(images.classes or ()) if known == name]
    return int(np.isin(images.class_ids, ids).sum()) if images.class_ids is not None else 0


def _read(data: str | Path, *, labelled: bool) -> LabelledImages:
    path = Path(data)
    try:
        if str(data) and path.is_dir():
            return _read_folder(path, labelled=labelled)
        if not str(data) or not path.exists():
            raise DataError(f"{data}: no such folder or table.", _LAYOUT)
        read_rows = _TABLES.get(path.suffix.lower())
        if read_rows is None or not path.is_file():
            raise DataError(f"{path} is neither a folder nor a CSV nor a JSONL.", _LAYOUT)
        return pictures_of(path, list(read_rows(path, labelled=labelled)))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path} cannot be read: {reason}.") from error


def _read_folder(root: Path, *, labelled: bool) -> LabelledImages:
    entries = sorted((entry for entry in root.iterdir() if not entry.name.startswith(".")), key=lambda each: each.name)
    folders = [entry for entry in entries if entry.is_dir()]
    loose = sum(not entry.is_dir() and is_picture_name(entry.name) for entry in entries)
    members = {folder.name: _pictures(root, folder, never=root) for folder in folders}
    if not any(members.values()):
        if loose == 0:
            raise DataError(f"The folder {root} holds no pictures.", _LAYOUT)
        if labelled:
            raise DataError(f"The folder {root} has no subfolders with pictures, so no classes.", _LAYOUT)
        return LabelledImages(root, tuple(_pictures(root, root)), None, None)
    _check_classes(root, members)
    if loose:
        logging.getLogger(__name__).warning(
            "%s: %d pictures beside the class folders have no class and are left out.", root, loose
        )
    paths = tuple(path for pictures in members.values() for path in pictures)
    ids = np.repeat(np.arange(len(members)), [len(pictures) for pictures in members.values()]).astype(np.int64)
    return LabelledImages(root, paths, ids, tuple(members))


def _pictures(root: Path, folder: Path, *, never: Path | None = None) -> list[Path]:
    """Relative to the root; a link in a class folder back to the root does not make other classes' pictures its own."""
    pictures = list_pictures(folder, never=never)
    return sorted((path.relative_to(root) for path in pictures), key=lambda path: path.parts)


def _check_classes(root: Path, members: dict[str, list[Path]]) -> None:
    odd = [name for name in members if name != name.encode("utf-8", "replace").decode()]
    if odd:
        raise DataError(f"The class folder {root / odd[0]} has a name that is no UTF-8.", "Rename the folder.")
    empty = [name for name, pictures in members.items() if not pictures]
    if empty:
        raise DataError(
            f"The class folder {root / empty[0]} holds no pictures.", "Add pictures to it, or remove the folder."
        )
    if all(name.lower() in _SPLITS for name in members):
        raise DataError(
            f"The subfolders of {root} are splits ({', '.join(members)}), not classes.",
            f"Give one of them, such as {root / next(iter(members))}.",
        )
