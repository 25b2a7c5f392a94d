"""A reproducible, stratified split into train, validation and test; by whole groups, or an official one."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from orilla.data.grouped import part_of_groups
from orilla.data.grouping import Grouping, grouping_for
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.files import replaced
from orilla_runtime.labelled import LabelledImages

VALIDATION, TEST = 0.1, 0.2
PARTS = ("train", "validation", "test")
COLUMN = "split"
"""The column of an official split."""

_SPELLINGS = {name: name for name in PARTS} | {"training": "train", "val": "validation", "testing": "test"}


@dataclass(frozen=True, slots=True)
class Split:
    """Relative paths (with `/`), sorted; every picture stands in exactly one part."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def digest(self) -> str:
        """sha256 of the three lists, in lower-case hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, path: str | Path) -> None:
        """Write a CSV with `path` and `split`, sorted by path.

        Raises:
            DataError: the name of a file is no text. SinkError: the CSV cannot be written.
        """
        rows = sorted((name, part) for part in PARTS for name in getattr(self, part))
        try:
            with replaced(Path(path)) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([("path", COLUMN), *rows])
        except UnicodeEncodeError as error:
            name = str(error.object).partition(",")[0]  # a whole row
            raise DataError(f"{name[:100]!r}: the name of the file is no text.", "Rename it.") from error

    @classmethod
    def read(cls, path: str | Path, images: LabelledImages) -> Self:
        """The split of exactly these pictures that a CSV says; other columns of it mean nothing.

        Raises:
            DataError: no such CSV, a line that is not in order, a picture that it lacks, or one that is not in the set.
        """
        file = Path(path)
        parts = _read_parts(file)
        names = [image.as_posix() for image in images.paths]
        strange = sorted(parts.keys() - set(names))
        lacking = [name for name in names if name not in parts]
        if strange or lacking:
            count, first, verb = (len(lacking), lacking[0], "does not name") if lacking else (0, "", "")
            said = f"{verb} {count} of the {len(names)} pictures, such as {first}"
            if not lacking:
                said = f"names {len(strange)} pictures that are not in {images.root}, such as {strange[0]}"
            raise DataError(f"{file} {said}.", "Is it the split of this data? `orilla data split` writes a new one.")
        return cls(*(tuple(sorted(name for name in names if parts[name] == part)) for part in PARTS))


@dataclass(frozen=True, slots=True)
class Places:
    """The three parts as places in the set that was split."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_paths(
    paths: Sequence[str],
    class_ids: Sequence[int],
    seed: int,
    *,
    validation: float = VALIDATION,
    test: float = TEST,
    groups: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Split:
    """Split by class; a pure function of the set of (path, class, group), the seed and the shares.

    Within a class the pictures are ranked by a hash of seed and path, so neither the order of the list nor the
    pictures of another class change where a picture stands. Every class has a picture in train; from two pictures on
    it has one in test, from three on one in validation, where these shares are not 0.

    Args:
        groups: one a picture; no group then stands in two parts, and the shares are kept as well as whole groups allow.
        names: the classes' names, for errors.

    Raises:
        UsageError: shares that leave nothing for training, or groups that make a split impossible.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise UsageError(
            f"Cannot split off {validation} for validation and {test} for the test.",
            "Give shares of 0 to 1 that leave something for training.",
        )
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    if groups is not None:
        found = part_of_groups(groups, class_ids, seed, validation=validation, test=test, names=names)
        for path, group in zip(paths, groups, strict=True):
            parts[found[group]].append(path)
        return Split(*(tuple(sorted(part)) for part in parts))
    classes: dict[int, list[str]] = defaultdict(list)
    for path, class_id in zip(paths, class_ids, strict=True):
        classes[int(class_id)].append(path)
    for members in classes.values():
        ranked = sorted(members, key=lambda path: _rank(seed, path))
        in_test, in_validation = _counts(len(ranked), validation, test)
        parts[2].extend(ranked[:in_test])
        parts[1].extend(ranked[in_test : in_test + in_validation])
        parts[0].extend(ranked[in_test + in_validation :])
    return Split(*(tuple(sorted(part)) for part in parts))


def split_images(
    images: LabelledImages,
    seed: int,
    *,
    validation: float = VALIDATION,
    test: float = TEST,
    group: str | None = None,
) -> tuple[Split, Places]:
    """The split of labelled pictures as lists of paths and as places.

    A column `split` (train, validation, test) is an official split and is kept; what it lacks of validation and test
    is taken from its train. `group` is a column or a regular expression, as `Grouping.parse` takes it; a column
    `group` is taken unasked.

    Raises:
        UsageError: pictures without labels, shares that leave nothing for training, or groups that make a split
            impossible. DataError: an official split that is not in order, or that cuts a group.
    """
    if images.class_ids is None:
        raise UsageError("Pictures without labels cannot be split by class.", "Give labelled pictures.")
    grouping = grouping_for(images, group)
    if COLUMN in images.columns:
        split = _official(images, seed, validation, test, grouping)
    else:
        split = _split(images, list(range(len(images))), seed, validation, test, grouping)
    return split, places_of(split, images)


def places_of(split: Split, images: LabelledImages) -> Places:
    """The parts of a split as places in the set that was split."""
    place_of = {path.as_posix(): place for place, path in enumerate(images.paths)}
    parts = (split.train, split.validation, split.test)
    return Places(*(np.array([place_of[name] for name in part], np.int64) for part in parts))


def _split(
    images: LabelledImages, places: list[int], seed: int, validation: float, test: float, grouping: Grouping | None
) -> Split:
    assert images.class_ids is not None
    return split_paths(
        [images.paths[place].as_posix() for place in places],
        [int(images.class_ids[place]) for place in places],
        seed,
        validation=validation,
        test=test,
        groups=None if grouping is None else grouping.of(places),
        names=images.classes,
    )


def _official(images: LabelledImages, seed: int, validation: float, test: float, grouping: Grouping | None) -> Split:
    members: dict[str, list[int]] = {part: [] for part in PARTS}
    for place, value in enumerate(images.columns[COLUMN]):
        part = _SPELLINGS.get(value.strip().lower())
        if part is None:
            raise DataError(
                f"{images.root}: {images.paths[place].as_posix()} has {value!r} in the column `{COLUMN}`.",
                "Write train, validation or test for every picture, or call the column otherwise.",
            )
        members[part].append(place)
    if not members["train"]:
        raise DataError(f"{images.root}: the column `{COLUMN}` leaves nothing for training.", "Mark some as train.")
    if grouping is not None:
        _check_groups(images, members, grouping)
    shares = {"validation": 0.0 if members["validation"] else validation, "test": 0.0 if members["test"] else test}
    rest = _split(images, members["train"], seed, shares["validation"], shares["test"], grouping)
    given = {part: tuple(images.paths[place].as_posix() for place in members[part]) for part in ("validation", "test")}
    return Split(
        rest.train, tuple(sorted(rest.validation + given["validation"])), tuple(sorted(rest.test + given["test"]))
    )


def _check_groups(images: LabelledImages, members: Mapping[str, list[int]], grouping: Grouping) -> None:
    home: dict[str, str] = {}
    for part, places in members.items():
        for place in places:
            group = grouping.groups[place]
            if home.setdefault(group, part) != part:
                raise DataError(
                    f"{images.root}: the group {group} stands in {home[group]} and in {part} of the column `{COLUMN}`.",
                    "Correct the column, or leave out one of the two.",
                )


def _read_parts(file: Path) -> dict[str, str]:
    """Path and part of every line of a split's CSV."""
    remedy = "`orilla data split` writes such a file: a CSV with `path` and `split`."
    parts: dict[str, str] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            if not {"path", COLUMN} <= set(rows.fieldnames or ()):
                raise DataError(f"{file} has no columns `path` and `{COLUMN}`.", remedy)
            for row in rows:
                path, part = row["path"], _SPELLINGS.get((row[COLUMN] or "").strip().lower())
                if part is None or not path or path in parts:
                    why = "is named twice" if path in parts else f"is in {row[COLUMN]!r}"
                    raise DataError(f"{file}, line {rows.line_num}: {path} {why}.", remedy)
                parts[path] = part
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.", remedy) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no CSV in UTF-8 ({error}).", remedy) from error
    return parts


def _rank(seed: int, path: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{seed}\0{path}".encode("utf-8", "surrogateescape")).digest(), path


def _counts(members: int, validation: float, test: float) -> tuple[int, int]:
    """How many pictures of a class go to test and to validation; at least one stays."""
    if members < 2:
        return 0, 0
    in_test = max(1, round(members * test)) if test else 0
    in_validation = max(1, round(members * validation)) if validation else 0
    in_test = min(in_test, members - 1)
    return in_test, min(in_validation, members - 1 - in_test)
