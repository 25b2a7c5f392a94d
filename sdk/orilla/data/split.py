"""A reproducible, stratified split into train, validation and test."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

VALIDATION, TEST = 0.1, 0.2


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


@dataclass(frozen=True, slots=True)
class Places:
    """The three parts as places in the set that was split."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_paths(
    paths: Sequence[str], class_ids: Sequence[int], seed: int, *, validation: float = VALIDATION, test: float = TEST
) -> Split:
    """Split by class; a pure function of the set of (path, class), the seed and the shares.

    Within a class the pictures are ranked by a hash of seed and path, so neither the order of the list nor the
    pictures of another class change where a picture stands. Every class has a picture in train; from two pictures on
    it has one in test, from three on one in validation, where these shares are not 0.

    Raises:
        UsageError: shares that leave nothing for training.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise UsageError(
            f"Cannot split off {validation} for validation and {test} for the test.",
            "Give shares of 0 to 1 that leave something for training.",
        )
    classes: dict[int, list[str]] = defaultdict(list)
    for path, class_id in zip(paths, class_ids, strict=True):
        classes[int(class_id)].append(path)
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for members in classes.values():
        ranked = sorted(members, key=lambda path: _rank(seed, path))
        in_test, in_validation = _counts(len(ranked), validation, test)
        parts[2].extend(ranked[:in_test])
        parts[1].extend(ranked[in_test : in_test + in_validation])
        parts[0].extend(ranked[in_test + in_validation :])
    return Split(*(tuple(sorted(part)) for part in parts))


def split_images(
    images: LabelledImages, seed: int, *, validation: float = VALIDATION, test: float = TEST
) -> tuple[Split, Places]:
    """The split of labelled pictures as lists of paths and as places.

    Raises:
        UsageError: pictures without labels, or shares that leave nothing for training.
    """
    if images.class_ids is None:
        raise UsageError("Pictures without labels cannot be split by class.", "Give labelled pictures.")
    names = [path.as_posix() for path in images.paths]
    split = split_paths(names, [int(i) for i in images.class_ids], seed, validation=validation, test=test)
    place_of = {name: place for place, name in enumerate(names)}
    parts = (split.train, split.validation, split.test)
    return split, Places(*(np.array([place_of[name] for name in part], np.int64) for part in parts))


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
