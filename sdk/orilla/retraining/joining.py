"""Old and new pictures in one table: each old one keeps its part, and no new one stands on both sides."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla.data.grouping import COLUMN, grouping_for
from orilla.data.split import PARTS, TEST, VALIDATION, split_paths
from orilla_runtime.errors import DataError, ModelError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.labelled.images import file_digest

_HEADER = ("path", "label", "class_id", "split")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of the table; `old` where the model knows it already. `group`: empty where it is of none."""

    file: Path
    label: str
    part: str
    old: bool
    group: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """All pictures of the next training. `labels`: the model's own, then those that only the new pictures have.

    known: how many of them are the model's. notes: what was left out, and why. group: the column or the pattern that
    says the groups; empty where there are none. The table has a column of this very name, so that the rule stays.
    """

    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    known: int
    notes: tuple[str, ...] = ()
    group: str = ""

    @property
    def new_labels(self) -> tuple[str, ...]:
        """Classes that the model has not known so far."""
        return self.labels[self.known :]

    def test(self, *, old: bool, known: bool = False) -> tuple[Row, ...]:
        """The pictures that judge: of the old set or of the new one; with `known`, of the model's classes alone."""
        labels = self.labels[: self.known] if known else self.labels
        return tuple(row for row in self.rows if row.part == "test" and row.old == old and row.label in labels)

    def write(self, path: Path, rows: Iterable[Row] | None = None) -> Path:
        """Write `path,label,class_id,split` and the groups, the paths relative to the table's folder.

        Raises:
            SinkError: it cannot be written. DataError: the name of a file is no text.
        """
        ids = {label: place for place, label in enumerate(self.labels)}
        home = path.resolve().parent
        try:
            with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow((*_HEADER, *((self.group,) if self.group else ())))
                for row in self.rows if rows is None else rows:
                    group = (row.group,) if self.group else ()
                    table.writerow((_relative(row.file, home), row.label, ids[row.label], row.part, *group))
        except UnicodeEncodeError as error:
            name = str(error.object).partition(",")[0]  # a whole row
            raise DataError(f"{name[:100]!r}: the name of the file is no text.", "Rename it.") from error
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
    base = base.subset(places)
    rule = str(training.get("group") or "")
    groups = _groups(base, rule)
    old = [
        Row(_file(base, place), str(base.label(place)), part_of[path.as_posix()], True, groups[place])
        for place, path in enumerate(base.paths)
    ]
    strange = next((row for row in old if row.label not in labels), None)
    if strange is not None:
        raise DataError(
            f"{strange.file} is {strange.label!r} in {base.root}, and the model has no such class.",
            "Give the data of the model's training as --base, with the names that its classes had.",
        )
    fresh, notes = _unseen(old, new)
    groups = _groups(new, rule)
    parts = _parts(old, new, fresh, groups, training)
    added = [Row(_file(new, place), str(new.label(place)), parts[place], False, groups[place]) for place in fresh]
    unknown = sorted({row.label for row in added} - set(labels))
    rows = (*old, *added)
    if not rule and any(row.group for row in rows):
        rule = COLUMN
    keeps = rule == rule.strip() and rule not in _HEADER and not _cuts(rows)
    return Joined(rows, (*labels, *unknown), len(labels), tuple(notes), rule if keeps else "")


def _groups(images: LabelledImages, rule: str) -> tuple[str, ...]:
    """The group of each picture, by the model's rule, or unasked by the column `group`; empty for one of its own."""
    grouping = grouping_for(images, rule or None)
    if grouping is None:
        return ("",) * len(images)
    return tuple("" if name.startswith("\0") else name for name in grouping.groups)


def _cuts(rows: Sequence[Row]) -> bool:
    """Whether a group stands in two parts already: then no training would take the groups for a rule."""
    homes: dict[str, str] = {}
    return any(row.group and homes.setdefault(row.group, row.part) != row.part for row in rows)


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
    old: Sequence[Row],
    new: LabelledImages,
    fresh: Sequence[int],
    groups: Sequence[str],
    training: Mapping[str, Any],
) -> dict[int, str]:
    """The part of each new picture: that of its group where the model knows it, else by the model's shares and seed."""
    shares = training.get("shares") or {}
    known = _parts_of_groups(old)
    found = {place: known[groups[place]] for place in fresh if groups[place] in known}
    rest = [place for place in fresh if place not in found]
    if rest:
        assert new.class_ids is not None
        names = [new.paths[place].as_posix() for place in rest]
        split = split_paths(
            names,
            [int(new.class_ids[place]) for place in rest],
            int(training.get("seed", 0)),
            validation=float(shares.get("validation", VALIDATION)),
            test=float(shares.get("test", TEST)),
            groups=[groups[place] or f"\0{name}" for place, name in zip(rest, names, strict=True)]
            if any(groups)
            else None,
            names=new.classes,
        )
        place_of = dict(zip(names, rest, strict=True))
        found.update({place_of[name]: part for part in PARTS for name in getattr(split, part)})
    return found


def _parts_of_groups(rows: Iterable[Row]) -> dict[str, str]:
    """Where a group is that the model knows; of one that was cut, the part that has taught the model most."""
    homes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.group:
            homes[row.group].add(row.part)
    return {name: min(found, key=PARTS.index) for name, found in homes.items()}


def _file(images: LabelledImages, place: int) -> Path:
    return images.full_path(place).absolute()


def _relative(file: Path, home: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), home)).as_posix()
    except ValueError:  # another drive
        return file.as_posix()
