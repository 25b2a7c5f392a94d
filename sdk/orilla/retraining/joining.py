"""Old and new pictures in one table: each old one keeps its part, and no new one stands on both sides."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla.data.grouping import Grouping, grouping_for
from orilla.data.split import PARTS, TEST, VALIDATION, split_paths
from orilla_runtime.errors import DataError, ModelError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.labelled.images import file_digest


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of the table; `old` where the model knows it already."""

    file: Path
    label: str
    part: str
    old: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """All pictures of the next training. `labels`: the model's own, then those that only the new pictures have.

    notes: what was left out, and why.
    """

    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    known: int
    notes: tuple[str, ...] = ()

    @property
    def new_labels(self) -> tuple[str, ...]:
        """Classes that the model has not known so far."""
        return self.labels[self.known :]

    def test(self, *, old: bool, known: bool = False) -> tuple[Row, ...]:
        """The pictures that judge: of the old set or of the new one; with `known`, of the model's classes alone."""
        labels = self.labels[: self.known] if known else self.labels
        return tuple(row for row in self.rows if row.part == "test" and row.old == old and row.label in labels)

    def write(self, path: Path, rows: Iterable[Row] | None = None) -> Path:
        """Write `path,label,class_id,split`, the paths relative to the table's folder.

        Raises:
            SinkError: it cannot be written. DataError: the name of a file is no text.
        """
        ids = {label: place for place, label in enumerate(self.labels)}
        home = path.resolve().parent
        try:
            with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(("path", "label", "class_id", "split"))
                for row in self.rows if rows is None else rows:
                    table.writerow((_relative(row.file, home), row.label, ids[row.label], row.part))
        except UnicodeEncodeError as error:
            raise DataError(f"{error.object!r}: the name of the file is no text.", "Rename it.") from error
        return path


def join(base: LabelledImages, new: LabelledImages, labels: Sequence[str], training: Mapping[str, Any]) -> Joined:
    """Put new pictures beside those that a model was trained on.

    Old ones keep the parts of the model's record. New ones are split by its shares and seed; those of a group that is
    known keep to that group's part. A new picture that is the same file as an old one is left out.

    Raises:
        ModelError: the model does not say what it was trained on. DataError: an old picture is gone, or two labels for
            one picture.
    """
    part_of = _recorded(training)
    places = _places(base, part_of)
    old = [
        Row(_file(base, place), str(base.label(place)), part_of[base.paths[place].as_posix()], True) for place in places
    ]
    base = base.subset(places)
    fresh, notes = _unseen(old, new)
    group = str(training.get("group") or "") or None
    parts = _parts(base, [row.part for row in old], new, fresh, training, group)
    added = [Row(_file(new, place), str(new.label(place)), parts[place], False) for place in fresh]
    unknown = sorted({row.label for row in added} - set(labels))
    return Joined((*old, *added), (*labels, *unknown), len(labels), tuple(notes))


def _recorded(training: Mapping[str, Any]) -> dict[str, str]:
    split = training.get("split")
    if not isinstance(split, Mapping) or not all(isinstance(split.get(part), list) for part in PARTS):
        raise ModelError("The model does not say which pictures it was trained on.", "Train it with `orilla train`.")
    return {path: part for part in PARTS for path in split[part]}


def _places(base: LabelledImages, part_of: Mapping[str, str]) -> list[int]:
    """The recorded pictures in the old data."""
    there = {path.as_posix(): place for place, path in enumerate(base.paths)}
    gone = sorted(part_of.keys() - there.keys())
    if gone:
        raise DataError(
            f"{base.root}: {len(gone)} of the {len(part_of)} pictures that the model was trained on are not there, "
            f"such as {gone[0]}.",
            "Give the data of the model's training as --base.",
        )
    return [place for name, place in there.items() if name in part_of]


def _unseen(old: Sequence[Row], new: LabelledImages) -> tuple[list[int], list[str]]:
    """The places of new pictures that are no copies, and what to say of the others."""
    seen = {file_digest(row.file): (row.file, row.label) for row in old}
    fresh, copies = [], 0
    for place in range(len(new)):
        file, label = _file(new, place), str(new.label(place))
        digest = file_digest(file)
        if digest not in seen:
            seen[digest] = (file, label)
            fresh.append(place)
        elif seen[digest][1] == label:
            copies += 1
        else:
            first, other = seen[digest]
            raise DataError(
                f"{file} is {label!r}, and {first}, the same picture, is {other!r}.", "Correct one of them."
            )
    if not fresh:
        raise DataError(f"{new.root}: all {len(new)} pictures are known already.", "Give pictures that are new.")
    return fresh, [f"{copies} new pictures are copies of others and left out."] if copies else []


def _parts(
    base: LabelledImages,
    old_parts: Sequence[str],
    new: LabelledImages,
    fresh: Sequence[int],
    training: Mapping[str, Any],
    group: str | None,
) -> dict[int, str]:
    shares = training.get("shares") or {}
    grouping = grouping_for(new, group)
    known = _parts_of_groups(base, old_parts, group) if grouping else {}
    found = {place: known[grouping.groups[place]] for place in fresh if grouping and grouping.groups[place] in known}
    rest = [place for place in fresh if place not in found]
    if rest:
        assert new.class_ids is not None
        split = split_paths(
            [new.paths[place].as_posix() for place in rest],
            [int(new.class_ids[place]) for place in rest],
            int(training.get("seed", 0)),
            validation=float(shares.get("validation", VALIDATION)),
            test=float(shares.get("test", TEST)),
            groups=None if grouping is None else grouping.of(rest),
            names=new.classes,
        )
        place_of = {new.paths[place].as_posix(): place for place in rest}
        found.update({place_of[name]: part for part in PARTS for name in getattr(split, part)})
    return found


def _parts_of_groups(base: LabelledImages, parts: Sequence[str], group: str | None) -> dict[str, str]:
    grouping: Grouping | None = grouping_for(base, group)
    homes: dict[str, set[str]] = defaultdict(set)
    for name, part in zip(grouping.groups if grouping else (), parts, strict=False):
        homes[name].add(part)
    return {name: min(found, key=PARTS.index) for name, found in homes.items()}


def _file(images: LabelledImages, place: int) -> Path:
    return images.full_path(place).absolute()


def _relative(file: Path, home: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), home)).as_posix()
    except ValueError:  # another drive
        return file.as_posix()
