"""The rows of a JSONL file: one object a line, with `path` and `label`, `class_id` or both, and any other values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.rows import LARGEST_ID, MEANINGS, Row, check_text

LONGEST_LINE = 1024 * 1024
"""Characters of one line; a longer one is no row of a table."""

_LINE = 'Each line is an object such as {"path": "a.jpg", "label": "cat"}.'


def read_lines(file: Path, *, labelled: bool) -> Iterator[Row]:
    """The rows of a JSONL file, in its order; blank lines are skipped. The first row says which values all have.

    Raises:
        DataError: while iterating: not UTF-8, a line that is no flat JSON object, a value that is missing or strange.
    """
    first: frozenset[str] | None = None
    line = 0
    try:
        with file.open(encoding="utf-8-sig") as stream:
            while text := stream.readline(LONGEST_LINE + 1):
                line += 1
                if len(text) > LONGEST_LINE:
                    raise DataError(f"{file}, line {line} is longer than {LONGEST_LINE:,} characters.", _LINE)
                if not text.strip():
                    continue
                values = _object(file, line, text)
                if first is None:
                    first = _meanings(file, line, values, labelled=labelled)
                yield _row(file, line, values, first)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8.", "Save it in UTF-8.") from error


def _object(file: Path, line: int, text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{file}, line {line}: `{twice[:60]}` stands there twice.", "Leave one of them.")
        return found

    try:
        values = json.loads(text, object_pairs_hook=once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep or no number"
        raise DataError(f"{file}, line {line}: not JSON ({what}).", _LINE) from error
    if not isinstance(values, dict):
        raise DataError(f"{file}, line {line}: not a JSON object.", _LINE)
    return values


def _no_number(name: str) -> float:
    raise ValueError(name)


def _meanings(file: Path, line: int, values: dict[str, Any], *, labelled: bool) -> frozenset[str]:
    found = frozenset(MEANINGS) & values.keys()
    if "path" not in found or (labelled and len(found) < 2):
        missing = "`path`" if "path" not in found else "`label` or `class_id`"
        raise DataError(f"{file}, line {line}: no {missing}.", _LINE)
    return found


def _row(file: Path, line: int, values: dict[str, Any], wanted: frozenset[str]) -> Row:
    strange = frozenset(MEANINGS) & values.keys() ^ wanted
    if strange:
        name = min(strange)
        said = f"no value for `{name}`" if name in wanted else f"`{name}`, which the first line does not have"
        raise DataError(f"{file}, line {line}: {said}.", "Give every line the same of `path`, `label` and `class_id`.")
    class_id = values.get("class_id")
    if "class_id" in wanted and not (type(class_id) is int and 0 <= class_id <= LARGEST_ID):
        shown = json.dumps(class_id)[:40]
        raise DataError(f"{file}, line {line}: class_id {shown} is not a number of 0 to {LARGEST_ID}.")
    path = values["path"]
    if not isinstance(path, str):
        raise DataError(f"{file}, line {line}: `path` is no text.", _LINE)
    return Row(
        line=line,
        path=check_text(file, line, "path", path.strip()),
        label=_label(file, line, values["label"]) if "label" in wanted else None,
        class_id=class_id,
        others={
            _name(file, line, name): _text(file, line, name, value)
            for name, value in values.items()
            if name not in MEANINGS
        },
    )


def _label(file: Path, line: int, value: Any) -> str:
    """A class's name; a whole number is one too: digits are often labelled so."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{file}, line {line}: `label` is no text.", "A label is a text, or a whole number.")
    return check_text(file, line, "label", value.strip())


def _name(file: Path, line: int, name: str) -> str:
    if not name or name != name.strip() or not name.isprintable():
        raise DataError(f"{file}, line {line}: {name[:60]!r} is no name for a value.", _LINE)
    return name


def _text(file: Path, line: int, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().strip()
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise DataError(
            f"{file}, line {line}: `{name[:60]}` is a list or an object.",
            "Beside path, label and class_id a line holds texts, numbers, true, false and null.",
        )
    return json.dumps(value)
