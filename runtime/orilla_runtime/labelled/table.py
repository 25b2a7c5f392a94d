"""Labelled pictures from a CSV: `path` and `label`, `class_id` or both."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.images import LabelledImages

_LARGEST_ID = 99_999
_HEADER = "Its first line must be a header with `path` and `label` or `class_id`, separated by commas."


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    path: str
    label: str | None
    class_id: int | None


def read_table(file: Path, *, labelled: bool) -> LabelledImages:
    """The pictures that a CSV names, in its order. Paths are relative to the CSV's folder, or absolute.

    Raises:
        DataError: not a CSV of UTF-8, a column or a value that is missing, a picture that is named twice or not there.
    """
    rows = list(_rows(file, labelled=labelled))
    if not rows:
        raise DataError(f"{file} names no pictures.", "Write one line for each picture below the header.")
    paths = _paths(file, rows)
    if rows[0].class_id is not None:
        names = _names_of_ids(file, rows)
        return LabelledImages(file.parent, paths, np.array([row.class_id for row in rows], np.int64), names, True)
    if rows[0].label is None:
        return LabelledImages(file.parent, paths, None, None)
    labels = [row.label or "" for row in rows]
    classes = tuple(sorted(set(labels)))
    ids = {name: index for index, name in enumerate(classes)}
    return LabelledImages(file.parent, paths, np.array([ids[label] for label in labels], np.int64), classes)


def _rows(file: Path, *, labelled: bool) -> Iterator[_Row]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = _columns(file, next(reader, []), labelled=labelled)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _row(file, reader.line_num, cells, columns)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8.", "Save the table as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: not a CSV ({error}).", _HEADER) from error


def _columns(file: Path, header: list[str], *, labelled: bool) -> dict[str, int]:
    names = [name.strip() for name in header]
    columns: dict[str, int] = {name: names.index(name) for name in ("path", "label", "class_id") if name in names}
    if "path" not in columns or (labelled and len(columns) < 2):
        missing = "`path`" if "path" not in columns else "`label` or `class_id`"
        seen = ", ".join(names)[:100]
        raise DataError(f"{file} has no column {missing} (its header: {seen!r}).", _HEADER)
    for name in columns:
        if names.count(name) > 1:
            raise DataError(f"{file} has the column `{name}` twice.", "Leave one of them.")
    return columns


def _row(file: Path, line: int, cells: list[str], columns: dict[str, int]) -> _Row:
    def cell(name: str) -> str | None:
        if name not in columns:
            return None
        value = cells[columns[name]].strip() if columns[name] < len(cells) else ""
        if not value:
            raise DataError(f"{file}, line {line}: no value for `{name}`.", "Complete the line or remove it.")
        if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
            raise DataError(f"{file}, line {line}: `{name}` holds a control character: {value[:60]!r}.")
        return value

    path, label, class_id = cell("path"), cell("label"), cell("class_id")
    if class_id is not None and (re.fullmatch(r"[0-9]{1,9}", class_id) is None or int(class_id) > _LARGEST_ID):
        raise DataError(f"{file}, line {line}: class_id {class_id[:40]!r} is not a number of 0 to {_LARGEST_ID}.")
    return _Row(line, path or "", label, None if class_id is None else int(class_id))


def _names_of_ids(file: Path, rows: list[_Row]) -> tuple[str, ...] | None:
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


def _paths(file: Path, rows: list[_Row]) -> tuple[Path, ...]:
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
        raise DataError(f"{file}: {len(missing)} {verb} not there: {first}", f"Paths are relative to {file.parent}.")
    return tuple(Path(path) for path in lines)


def _find(root: Path, text: str) -> tuple[str, bool]:
    """The path, relative to the root where it lies below it, and whether there is a file.

    A table that was written on Windows separates folders by backslashes.
    """
    spellings = [text, text.replace("\\", "/")] if "\\" in text else [text]
    for spelling in spellings:
        path = os.path.normpath(spelling)
        try:
            if not (root / path).is_file():
                continue
        except (OSError, ValueError):  # A name that is too long, or with a NUL
            continue
        if Path(path).is_relative_to(root.absolute()):
            path = str(Path(path).relative_to(root.absolute()))
        return path, True
    return text, False
