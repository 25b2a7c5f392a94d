"""Look-alikes as a table to split by: path, label and group."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from orilla_runtime.errors import DataError, SinkError, UsageError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages


def write_groups(file: Path, images: LabelledImages, groups: Sequence[Sequence[str]]) -> None:
    """Write a CSV with path, label (where there are labels) and group, a line a picture.

    Pictures of one of `groups` (relative paths) share a group; every other picture has one of its own. The table's
    other columns are kept. Paths are relative to the CSV's folder where the pictures lie below it, else absolute.

    Raises:
        UsageError: a name that does not end in .csv. DataError: the name of a picture is no text.
        SinkError: the file cannot be written.
    """
    check_groups_file(file)
    group_of = {path: f"alike-{number + 1:04}" for number, group in enumerate(groups) for path in group}
    kept = [name for name in images.columns if name != "group"]
    header = ["path", *(["label"] if images.class_ids is not None else []), "group", *kept]
    try:
        with replaced(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            for place, path in enumerate(images.paths):
                label = [images.label(place)] if images.class_ids is not None else []
                group = group_of.get(path.as_posix(), f"alone-{place + 1:06}")
                others = (images.columns[name][place] for name in kept)
                writer.writerow([path_in_table(images.full_path(place), file), *label, group, *others])
    except UnicodeEncodeError as error:
        name = str(error.object).partition(",")[0]  # a whole row
        raise DataError(f"{name[:100]!r}: the name of the file is no text.", "Rename it.") from error


def check_groups_file(file: Path) -> None:
    """Check that groups can be written there, before the pictures are looked at.

    Raises:
        UsageError: a name that does not end in .csv. SinkError: there is no such folder.
    """
    if file.suffix.lower() != ".csv":
        raise UsageError(f"{file}: groups are written as CSV.", "Give a name that ends in .csv.")
    if not file.parent.is_dir():
        raise SinkError(f"{file}: there is no folder {file.parent}.", "Make the folder first.")


def path_in_table(picture: Path, file: Path) -> str:
    """How a table names a picture: relative to its own folder where that holds it, else absolute; with `/`."""
    absolute, folder = Path(os.path.abspath(picture)), Path(os.path.abspath(file)).parent  # noqa: PTH100 - links stay
    return (absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute).as_posix()
