"""Which split a set of pictures brings along: a file beside it, or its own column `split`."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from orilla.data.split import Split
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages

_PARTS = ("train", "validation", "test")


def parts_of(images: LabelledImages, file: Path | None = None) -> Split | None:
    """The split that `file` (a CSV with path and split) says, else that of the column `split`; None without either.

    Pictures that neither puts into a part stand in none.

    Raises:
        DataError: a file that is no such CSV, names none of the pictures, or a part that is none.
    """
    names = [path.as_posix() for path in images.paths]
    if file is not None:
        known = set(names)
        rows = [(path, part) for path, part in _read(file) if path in known]
        if not rows:
            raise DataError(f"{file} names none of the pictures of {images.root}.", "Is it the split of another set?")
        return _split(rows, str(file))
    if "split" in images.columns:
        return _split(zip(names, images.columns["split"], strict=True), str(images.root))
    return None


def _read(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{file} cannot be read: {reason}.", "Give a CSV with the columns path and split.") from error
    if not rows or not {"path", "split"} <= rows[0].keys():
        raise DataError(f"{file} has no columns path and split.", "Give the split.csv beside a trained model.")
    return [(row["path"] or "", row["split"] or "") for row in rows]


def _split(rows: Iterable[tuple[str, str]], said_by: str) -> Split:
    parts: dict[str, list[str]] = {part: [] for part in _PARTS}
    for path, part in rows:
        if part and part not in parts:
            raise DataError(f"{said_by}: {part!r} of {path} is no part.", f"Parts are {', '.join(_PARTS)}.")
        if part:
            parts[part].append(path)
    return Split(*(tuple(sorted(parts[part])) for part in _PARTS))
