"""A table of labels as it comes with downloaded pictures: which file is what, by whatever names its columns have."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from orilla_runtime.errors import DataError
from orilla_runtime.sources.listing import is_picture_name

PATHS = ("path", "file", "filename", "file_name", "image", "image_id", "name", "id")
LABELS = ("label", "class", "class_name", "category", "breed", "species", "class_id")
_NAMED = 3


def read_label_table(file: Path, photos: Path, pictures: Sequence[Path]) -> list[tuple[Path, str]]:
    """The pictures that a CSV names, with their labels, in its order.

    Args:
        file: a CSV with a header, one of `PATHS` and one of `LABELS` among its columns.
        photos, pictures: the folder, and the pictures below it.

    Raises:
        DataError: no such CSV, a line without a value, a picture that is not there, that several could be meant by, or
            that has two labels.
    """
    rows = _read(file)
    finder = _Finder(file, photos, pictures)
    found: dict[Path, str] = {}
    missing: list[str] = []
    for line, name, label in rows:
        picture = finder.find(line, name)
        if picture is None:
            missing.append(name)
        elif found.setdefault(picture, label) != label:
            raise DataError(
                f"{file}, line {line}: {name} is {label!r} here and {found[picture]!r} above.",
                "Leave one of the lines.",
            )
    if missing:
        first = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        verb = "picture is" if len(missing) == 1 else "pictures are"
        raise DataError(f"{file}: {len(missing)} {verb} not below {photos}: {first}", "Nothing was sorted.")
    return list(found.items())


def _read(file: Path) -> list[tuple[int, str, str]]:
    header = f"Its header must have a column for files ({', '.join(PATHS)}) and one for labels ({', '.join(LABELS)})."
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            lower = [name.lower() for name in columns]
            chosen = [next((name for name in known if name in lower), None) for known in (PATHS, LABELS)]
            if None in chosen:
                raise DataError(f"{file} has the columns {', '.join(columns)[:100] or '(none)'}.", header)
            reader.fieldnames = lower
            path, label = map(str, chosen)
            rows = [(reader.line_num, (row[path] or "").strip(), (row[label] or "").strip()) for row in reader]
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such CSV.", header) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in UTF-8.", "Save the table as CSV in UTF-8.") from error
    except (OSError, csv.Error, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{file} cannot be read: {reason}.", header) from error
    if not rows:
        raise DataError(f"{file} names no pictures.", "Write one line for each picture below the header.")
    for line, name, value in rows:
        if not name or not value:
            raise DataError(f"{file}, line {line}: no value for `{label if name else path}`.", "Complete the line.")
    return rows


class _Finder:
    """Looks for a picture by the name that a table gives it."""

    def __init__(self, file: Path, photos: Path, pictures: Sequence[Path]) -> None:
        self._file = file
        self._photos = photos
        self._pictures = set(pictures)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for picture in pictures:
            self._by_name[picture.name].append(picture)
            self._by_stem[picture.stem].append(picture)

    def find(self, line: int, name: str) -> Path | None:
        """The picture; None where there is none. A table cannot name what lies outside of the two folders."""
        spellings = [name, name.replace("\\", "/")] if "\\" in name else [name]
        for spelling in spellings:
            below = os.path.normpath(spelling)
            if os.path.isabs(below) or below.startswith("..") or not is_picture_name(Path(below).name):  # noqa: PTH117
                continue
            for folder in (self._photos, self._file.parent):
                if _is_there(folder / below):
                    return self._below_photos(folder / below)
        last = Path(spellings[-1]).name
        several = self._by_name.get(last) or self._by_stem.get(last) or []
        if len(several) > 1:
            raise DataError(
                f"{self._file}, line {line}: {name} may be {several[0]} or {several[1]}.",
                f"Name the pictures by their paths below {self._photos}.",
            )
        return several[0] if several else None

    def _below_photos(self, picture: Path) -> Path:
        """The same picture as the folder's listing names it, where it is there."""
        if picture in self._pictures:
            return picture
        alike = [each for each in self._by_name.get(picture.name, ()) if each.samefile(picture)]
        return alike[0] if alike else picture


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # A name that is too long, or with a NUL
        return False
