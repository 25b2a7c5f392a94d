"""What a table of pictures says, whatever its spelling, and the labelled pictures that follow from it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.images import LabelledImages

LARGEST_ID = 99_999
MEANINGS = ("path", "label", "class_id")
"""The columns that say which picture and which class; every other column is kept as text."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of a table: the line that names it, its class, and its other columns as text."""

    line: int
    path: str
    label: str | None
    class_id: int | None
    others: Mapping[str, str]


def check_text(file: Path, line: int, name: str, value: str) -> str:
    """A path or a label that can be shown and written on one line.

    Raises:
        DataError: nothing, or a control character.
    """
    if not value:
        raise DataError(f"{file}, line {line}: no value for `{name}`.", "Complete the line or remove it.")
    if _CONTROL.search(value):
        raise DataError(f"{file}, line {line}: `{name}` holds a control character: {value[:60]!r}.")
    return value


def pictures_of(file: Path, rows: Sequence[Row]) -> LabelledImages:
    """The pictures of a table, in its order. Paths are relative to the table's folder, or absolute.

    Every row has a label, or none has; the same holds for class ids. A column that a row lacks is empty there.

    Raises:
        DataError: no rows, a picture that is named twice or not there, or a class_id with two labels.
    """
    if not rows:
        raise DataError(f"{file} names no pictures.", "Write one line for each picture.")
    paths = _paths(file, rows)
    columns = _columns(rows)
    if rows[0].class_id is not None:
        ids = np.array([row.class_id for row in rows], np.int64)
        return LabelledImages(file.parent, paths, ids, _names_of_ids(file, rows), True, columns)
    if rows[0].label is None:
        return LabelledImages(file.parent, paths, None, None, columns=columns)
    labels = [row.label or "" for row in rows]
    classes = tuple(sorted(set(labels)))
    places = {name: index for index, name in enumerate(classes)}
    ids = np.array([places[label] for label in labels], np.int64)
    return LabelledImages(file.parent, paths, ids, classes, columns=columns)


def _columns(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    names = dict.fromkeys(name for row in rows for name in row.others)
    return {name: tuple(row.others.get(name, "") for row in rows) for name in names}


def _names_of_ids(file: Path, rows: Sequence[Row]) -> tuple[str, ...] | None:
    """The label of each class_id, empty for an id that no line has; two ids may share a label, not two labels an id."""
    if rows[0].label is None:
        return None
    names: dict[int, str] = {}
    for row in rows:
        assert row.class_id is not None
        assert row.label is not None
        if names.setdefault(row.class_id, row.label) != row.label:
            raise DataError(
                f"{file}, line {row.line}: class_id {row.class_id} is {row.label!r} here and "
                f"{names[row.class_id]!r} above.",
                "Give each class_id one label.",
            )
    return tuple(names.get(class_id, "") for class_id in range(max(names) + 1))


def _paths(file: Path, rows: Sequence[Row]) -> tuple[Path, ...]:
    lines: dict[str, int] = {}
    missing: list[str] = []
    for row in rows:
        path, found = _find(file.parent, row.path)
        if not found:
            missing.append(row.path)
        if path in lines:
            raise DataError(
                f"{file}, line {row.line}: {row.path} is named in line {lines[path]} already.",
                "Name each picture once.",
            )
        lines[path] = row.line
    if missing:
        first = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        verb = "picture is" if len(missing) == 1 else "pictures are"
        raise DataError(
            f"{file}: {len(missing)} {verb} not there: {first}",
            f"Paths are relative to the folder {file.parent.absolute()}.",
        )
    return tuple(Path(path) for path in lines)


def _find(root: Path, text: str) -> tuple[str, bool]:
    """The path, relative to the root where it lies below it, and whether there is a file.

    A table that was written on Windows separates folders by backslashes.
    """
    spellings = [text, text.replace("\\", "/")] if "\\" in text else [text]
    for spelling in spellings:
        path = os.path.normpath(spelling)
        # Functions on texts: a table has many lines, and a Path for each takes longer than asking for the file.
        if not os.path.isfile(os.path.join(root, path)):  # noqa: PTH113, PTH118
            continue
        if os.path.isabs(path) and Path(path).is_relative_to(root.absolute()):  # noqa: PTH117
            path = str(Path(path).relative_to(root.absolute()))
        return path, True
    return text, False


def spelled_alike(images: LabelledImages) -> tuple[tuple[str, ...], ...]:
    """Classes whose names differ in nothing but case, accents' coding, blanks, `_` or `-`; names of one letter do not.

    `Cat` and `cat` are one class to most people; ImageNet has a `Cardigan` (a dog) and a `cardigan` (a jacket).
    """
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(images.classes or ()):
        if len(name) > 1:
            folded = unicodedata.normalize("NFKC", name).casefold()
            alike.setdefault(re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", folded).strip(), []).append(name)
    return tuple(tuple(names) for names in alike.values() if len(names) > 1)
