"""Labelled pictures: where they lie, what they show, and a digest that tells whether they are still the same."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Paths and classes of a set of pictures; no pixels are held.

    root: the folder, or the table's folder.
    paths: relative to `root`, sorted for a folder and in its order for a table; absolute where the table says so.
    class_ids: int64, one a path; None for pictures without labels.
    classes: names in the order of their ids; None where only ids are known.
    ids_given: True where the ids come from a table's `class_id`: they are a model's output numbers, not places in
        `classes`, which may then hold empty names for ids that no picture has.
    columns: the table's other columns as text, one value a path, "" where a line has none. `split` (train, validation
        or test) and `group` (pictures of one part) have a meaning for training.
    """

    root: Path
    paths: tuple[Path, ...]
    class_ids: NDArray[np.int64] | None
    classes: tuple[str, ...] | None
    ids_given: bool = False
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.class_ids is not None and len(self.class_ids) != len(self.paths):
            raise DataError(f"{self.root}: {len(self.paths)} pictures and {len(self.class_ids)} labels.")
        for name, values in self.columns.items():
            if len(values) != len(self.paths):
                raise DataError(f"{self.root}: {len(self.paths)} pictures and {len(values)} values for `{name}`.")

    def __len__(self) -> int:
        return len(self.paths)

    def full_path(self, index: int) -> Path:
        """The file of one picture."""
        return self.root / self.paths[index]

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> LabelledImages:
        """Some of the pictures, in the order of `indices`; the classes stay, also those that no picture is left of."""
        chosen = np.asarray(indices, np.int64)
        class_ids = None if self.class_ids is None else self.class_ids[chosen]
        columns = {name: tuple(values[index] for index in chosen) for name, values in self.columns.items()}
        return replace(self, paths=tuple(self.paths[index] for index in chosen), class_ids=class_ids, columns=columns)

    def label(self, index: int) -> str | None:
        """The class name of one picture, its number where only that is known, None without labels."""
        if self.class_ids is None:
            return None
        class_id = int(self.class_ids[index])
        return str(class_id) if self.classes is None else self.classes[class_id]

    def digest(self) -> str:
        """sha256 (hex) over the sorted relative paths, labels and files: the same on every machine.

        Reads every file once, in pieces. A picture that was renamed, relabelled or changed changes it; the folder's
        own place, a table's other columns and the order of its lines do not.

        Raises:
            DataError: a file that cannot be read.
        """
        lines = sorted(
            (unicodedata.normalize("NFC", path.as_posix()), self.label(index) or "", index)
            for index, path in enumerate(self.paths)
        )
        total = hashlib.sha256()
        for path, label, index in lines:
            total.update(json.dumps([path, label, file_digest(self.full_path(index))]).encode() + b"\n")
        return total.hexdigest()

    def aligned(self, labels: Sequence[str]) -> LabelledImages:
        """The same pictures with class ids that are places in a model's `labels`; pictures without labels as they are.

        Names must match exactly. A `class_id` of a table is such a place already; where the table names the class too,
        the two must agree.

        Raises:
            DataError: a class that is no label of the model, a name that several labels have, or an id out of range.
        """
        if self.class_ids is None:
            return self
        if self.ids_given or self.classes is None:
            self._check_ids(labels)
            return replace(self, classes=tuple(labels), ids_given=True)
        places = np.array([_place(name, labels, self.root) for name in self.classes], np.int64)
        return replace(self, class_ids=places[self.class_ids], classes=tuple(labels), ids_given=True)

    def _check_ids(self, labels: Sequence[str]) -> None:
        assert self.class_ids is not None
        for class_id in np.unique(self.class_ids):
            if not 0 <= class_id < len(labels):
                raise DataError(
                    f"{self.root}: class_id {class_id} is none of the model's {len(labels)} classes.",
                    "class_id counts from 0; is there a background class in front?",
                )
            name = self.classes[class_id] if self.classes is not None else ""
            if name and name != labels[class_id]:
                raise DataError(
                    f"{self.root}: class_id {class_id} is {name!r} in the data and {labels[class_id]!r} in the model.",
                    "Leave out the column `label`, or correct `class_id`.",
                )


def require_classes(data: LabelledImages, at_least: int) -> None:
    """Check that there are labels, of `at_least` classes, and that no class is without a picture.

    Raises:
        DataError: otherwise.
    """
    if data.class_ids is None:
        raise DataError(f"{data.root}: the pictures have no labels.", "Put each class into a subfolder of its own.")
    present = np.unique(data.class_ids)
    if len(present) < at_least:
        name = f" ({data.label(0)})" if len(data) else ""
        raise DataError(
            f"{data.root} has {len(present)} class{name}; {at_least} are needed.",
            "Put each class into a subfolder of its own, and give the folder that holds them.",
        )
    missing = np.setdiff1d(np.arange(len(data.classes) if data.classes else present[-1] + 1), present)
    if len(missing):
        raise DataError(
            f"{data.root}: no picture has class_id {missing[0]}.", "Number the classes from 0 without gaps."
        )


def _place(name: str, labels: Sequence[str], root: Path) -> int:
    places = [index for index, label in enumerate(labels) if label == name]
    if len(places) == 1:
        return places[0]
    if places:
        raise DataError(
            f"{root}: the model has {len(places)} classes named {name!r} ({', '.join(map(str, places))}).",
            "Give the pictures in a CSV with `path` and `class_id`.",
        )
    known = ", ".join(repr(label) for label in labels[:5]) + (", …" if len(labels) > 5 else "")
    raise DataError(
        f"{root}: the class {name!r} is no label of the model ({known}).",
        "Name the folders as the labels, or give a CSV with `path` and `class_id`.",
    )


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in lower-case hexadecimal digits; it is read in pieces.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
