"""Sorts pictures into a folder a class, by a table of labels or by what a model says of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orilla.data.sorting.filing import Filing, How
from orilla.data.sorting.label_table import read_label_table
from orilla_runtime.errors import DataError
from orilla_runtime.sources.listing import list_pictures

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
)
_LONGEST = 200

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was sorted: folders and how many pictures each got; `left` pictures have no label and stayed."""

    into: Path
    folders: Mapping[str, int]
    left: int


def sort_by_labels(
    photos: str | Path, labels: str | Path, into: str | Path, *, how: How = "copy", progress: Progress | None = None
) -> Sorted:
    """File the pictures of a folder into a subfolder of `into` for each label of a CSV.

    The CSV's names are looked for below `photos`, then beside the CSV, then anywhere below `photos` by their last part,
    with or without the suffix. All is checked before the first file is made; what is made is whole, nothing is
    overwritten, and the same call again goes on after an interruption.

    Args:
        photos: the folder of the pictures; only those that the CSV names are filed.
        labels: a CSV with a header: `path` (or file, filename, image, name, id) and `label` (or class, category,
            breed, species).
        into: made where there is none.
        how: `copy`, `link` (hard links) or `move`.
        progress: called with (pictures done, all of them).

    Raises:
        DataError: a folder or a CSV that is not in order, a picture that is not there, or a label that cannot be
            a folder's name.
        SinkError: a file cannot be made.
    """
    photos, into = Path(photos), Path(into)
    pictures = pictures_of(photos, never=into)
    rows = read_label_table(Path(labels), photos, pictures)
    check_folder_names(tuple(dict.fromkeys(label for _, label in rows)), Path(labels))
    make_folder(into)
    filing = Filing(into, how)
    filed: Counter[str] = Counter()
    for done, (picture, label) in enumerate(rows, 1):
        filing.file(picture, label)
        filed[label] += 1
        if progress:
            progress(done, len(rows))
    filing.finish()
    named = {picture for picture, _ in rows}
    return Sorted(into, dict(sorted(filed.items())), sum(picture not in named for picture in pictures))


def pictures_of(photos: Path, *, never: Path) -> list[Path]:
    """The pictures below a folder, without those below `never`.

    Raises:
        DataError: no such folder, or one without pictures.
    """
    try:
        if not photos.is_dir():
            raise DataError(f"{photos}: no such folder.", "Give the folder that holds the pictures.")
        pictures = list(list_pictures(photos, never=never if never.is_dir() else None))
    except OSError as error:
        raise DataError(f"{photos} cannot be listed: {error.strerror or error}.") from error
    if not pictures:
        raise DataError(f"The folder {photos} holds no pictures.", "Names must end in .jpg, .png or another picture's.")
    return pictures


def make_folder(into: Path) -> None:
    """Make the folder that pictures are sorted into; its parent must be there.

    Raises:
        DataError: it cannot be made.
    """
    try:
        into.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise DataError(f"{into}: there is no folder {into.parent}.", "Make the folder first.") from error
    except OSError as error:
        raise DataError(f"{into} cannot be made: {error.strerror or error}.", "Give another folder.") from error


def check_folder_names(labels: Sequence[str], said_by: Path) -> None:
    """See that every label can be a folder's name on every system, and be read back as the same class.

    Raises:
        DataError: one cannot, or two would be one folder on disks that do not tell capitals apart.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if why := _unsafe(label):
            raise DataError(
                f"{said_by}: the label {label[:80]!r} cannot be a folder's name: {why}.", "Rename the label."
            )
        if (other := seen.setdefault(label.casefold(), label)) != label:
            raise DataError(
                f"{said_by}: the labels {other!r} and {label!r} are one folder on many disks.", "Spell them the same."
            )


def _unsafe(label: str) -> str:
    if found := _UNSAFE.search(label):
        return f"it holds {found[0]!r}"
    if label.startswith("."):
        return "it begins with a dot, which hides it"
    if label != label.strip() or label.endswith("."):
        return "it begins or ends with a blank or ends with a dot"
    if label.casefold().partition(".")[0] in _RESERVED:
        return "Windows keeps this name for itself"
    if len(label.encode("utf-8", "surrogateescape")) > _LONGEST:
        return "it is too long"
    return "" if label else "it is empty"
