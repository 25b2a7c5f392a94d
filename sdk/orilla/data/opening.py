"""From what a person calls data to labelled pictures on disk: folders, tables, arrays and the named sets."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from orilla.data.sets.arrays import array_pictures, holds_pictures
from orilla.data.sets.named import NAMED, named_labels
from orilla.data.sets.unpacking import FORMAT, Told, cached
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages, read_labelled

ARRAYS = ".npz"


def open_data(data: str | Path, *, labelled: bool = True) -> LabelledImages:
    """The labelled pictures of a folder, a CSV, a JSONL, an `.npz`, or of a named set such as `mnist`.

    Arrays and named sets are unpacked once into files in the user's cache; a named set that is not there yet is
    downloaded. A file or folder of that name in the current folder hides the named set.

    Args:
        labelled: with False, pictures without labels are taken too.

    Raises:
        DataError: the data is not in order, or a named set can neither be found nor downloaded.
    """
    images = read_labelled(data_file(data, labelled=labelled), labelled=labelled)
    _check_once(images)
    return images


def _check_once(images: LabelledImages) -> None:
    """A table may name a file relative to itself and absolute: one picture, which must not train and test.

    Raises:
        DataError: it does.
    """
    if not any(path.is_absolute() for path in images.paths):
        return
    seen: dict[str, Path] = {}
    for place, path in enumerate(images.paths):
        first = seen.setdefault(os.path.abspath(images.full_path(place)), path)  # noqa: PTH100 - links stay
        if first is not path:
            raise DataError(f"{images.root}: {first} and {path} are one picture.", "Name each picture once.")


def data_file(data: str | Path, *, labelled: bool = True, told: Told | None = None) -> str | Path:
    """What `read_labelled` takes for `data`: the `labels.csv` of arrays and named sets; all else as it is.

    Raises:
        DataError: arrays that are not in order, or a named set that can neither be found nor downloaded.
    """
    if is_named(data):
        return named_labels(str(data), told=told)
    path = Path(data)
    if path.suffix.lower() == ARRAYS:
        return _unpacked(path, labelled=labelled, told=told)
    return data


def is_named(data: str | Path) -> bool:
    """True for the name of a set that no file of that name hides."""
    return str(data) in NAMED and not Path(data).exists()


def is_labelled_arrays(data: str | Path) -> bool:
    """True for an `.npz` with labelled pictures, in contrast to one with samples for a model's inputs."""
    path = Path(data)
    try:
        return path.suffix.lower() == ARRAYS and holds_pictures(path)
    except DataError:
        return False


def _unpacked(path: Path, *, labelled: bool, told: Told | None) -> Path:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    digest.update(f"orilla {FORMAT} {labelled}".encode())
    return cached(digest.hexdigest()[:32], lambda: array_pictures(path, labelled=labelled), told=told)
