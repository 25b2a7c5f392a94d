"""The rows of a CSV: `path` and `label`, `class_id` or both, and any other columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.rows import LARGEST_ID, MEANINGS, Row, check_text

_HEADER = "Its first line must be a header with `path` and `label` or `class_id`, separated by commas."


def read_table(file: Path, *, labelled: bool) -> Iterator[Row]:
    """The rows of a CSV, in its order; blank lines are skipped.

    Raises:
        DataError: while iterating: not a CSV of UTF-8, a column or a value that is missing, or a value too many.
    """
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


def _columns(file: Path, header: list[str], *, labelled: bool) -> list[str]:
    """The name of each column, "" for one without a name, which is left out."""
    names = [name.strip() for name in header]
    if "path" not in names or (labelled and "label" not in names and "class_id" not in names):
        missing = "`path`" if "path" not in names else "`label` or `class_id`"
        seen = ", ".join(names)[:100]
        raise DataError(f"{file} has no column {missing} (its header: {seen!r}).", _HEADER)
    for name in names:
        if name and names.count(name) > 1:
            raise DataError(f"{file} has the column `{name[:60]}` twice.", "Leave one of them.")
    return names


def _row(file: Path, line: int, cells: list[str], columns: list[str]) -> Row:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise DataError(
            f"{file}, line {line}: {len(cells)} values for {len(columns)} columns.",
            'Put a value that holds a comma into quotes: "ant, red".',
        )
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
    path, label, class_id = (
        check_text(file, line, name, values.get(name, "")) if name in columns else None for name in MEANINGS
    )
    if class_id is not None and (re.fullmatch(r"[0-9]{1,9}", class_id) is None or int(class_id) > LARGEST_ID):
        raise DataError(f"{file}, line {line}: class_id {class_id[:40]!r} is not a number of 0 to {LARGEST_ID}.")
    others = {name: value for name, value in values.items() if name not in MEANINGS}
    return Row(line, path or "", label, None if class_id is None else int(class_id), others)
