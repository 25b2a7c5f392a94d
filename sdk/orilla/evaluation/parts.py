"""Which pictures to judge on: of the model's own training data, those that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import LabelledImages

Part = Literal["train", "validation", "test", "all"]
PARTS: tuple[str, ...] = get_args(Part)
SPLIT_COLUMN = "split"
_DEEPEST = 6


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The pictures that are judged. `note` says in a sentence why it is not all of them, or what is to be known."""

    images: LabelledImages
    part: str
    note: str = ""


def choose_part(images: LabelledImages, training: Mapping[str, Any], part: str | None) -> Chosen:
    """The pictures of a part; unasked, the test part of the very data that the model was trained on, else all.

    Args:
        images: all pictures, with the labels of the data.
        training: what the model's card or bundle says of its training; `split` and `data_digest` matter here.
        part: `train`, `validation`, `test` or `all`, by the recorded split, else by the table's column `split`.

    Raises:
        UsageError: no such part. DataError: nothing tells the part's pictures, or a picture cannot be read.
    """
    if part is not None and part not in PARTS:
        raise UsageError(f"part={part!r} is not known.", f"Take one of {', '.join(PARTS)}.")
    if part == "all":
        return Chosen(images, "all")
    split = _recorded(training)
    if part is not None:
        return _asked(images, split, part)
    names = {path.as_posix() for path in images.paths}
    same_names = bool(split) and names == {path for paths in split.values() for path in paths}
    if same_names and split["test"] and images.digest() == training.get("data_digest"):
        return _own(images, split["test"])
    seen = len(_places(images, [*split.get("train", ()), *split.get("validation", ())]))
    return Chosen(images, "all", _warning(seen, len(images)))


def _own(images: LabelledImages, test: Sequence[str]) -> Chosen:
    chosen = _subset(images, test)
    note = (
        f"This is the data that the model was made from: judged on its test part alone, {len(chosen)} pictures that "
        "training did not see (--part all judges all)."
    )
    return Chosen(chosen, "test", note)


def _warning(seen: int, n: int) -> str:
    if not seen:
        return ""
    return (
        f"{seen} of {n} pictures have the names of pictures that the model was trained with. If they are the same, the "
        "figures are too good: --part test judges the held-out ones."
    )


def _asked(images: LabelledImages, split: Mapping[str, Sequence[str]], part: str) -> Chosen:
    by_name = _subset(images, split.get(part, ()))
    if len(by_name):
        return Chosen(by_name, part, f"Judged on the {len(by_name)} pictures of the training's {part} part.")
    values = images.columns.get(SPLIT_COLUMN, ())
    members = np.flatnonzero(np.array([value.strip().lower() == part for value in values], bool))
    if len(members):
        by_column = images.subset(members)
        return Chosen(by_column, part, f"Judged on the {len(members)} pictures with the {SPLIT_COLUMN} {part}.")
    raise DataError(
        f"{images.root} has no picture of the model's {part} part.",
        "Give the data that the model was trained on, a table with a column `split`, or --part all.",
    )


def _recorded(training: Mapping[str, Any]) -> dict[str, list[str]]:
    """The recorded split; empty where there is none, or it is not one."""
    split = training.get("split")
    if not isinstance(split, Mapping):
        return {}
    found = {name: split.get(name) for name in PARTS if name != "all"}
    return found if all(isinstance(paths, list) for paths in found.values()) else {}  # type: ignore[return-value]


def _subset(images: LabelledImages, names: Sequence[str]) -> LabelledImages:
    return images.subset(_places(images, names))


def _places(images: LabelledImages, names: Sequence[str]) -> list[int]:
    """The pictures that have one of the names, or end with one that has a folder: a table may lie elsewhere."""
    wanted = set(names)
    return [
        place
        for place, path in enumerate(images.paths)
        if path.as_posix() in wanted
        or any("/".join(path.parts[-n:]) in wanted for n in range(2, min(len(path.parts), _DEEPEST) + 1))
    ]
