"""Folds: every picture is held out once, and what is right is counted over all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from orilla_runtime.labelled import LabelledImages

FOLDS, SEED = 5, 0


def write_folds(images: LabelledImages, folder: Path) -> Iterator[tuple[Path, int]]:
    """A CSV with an official split for each fold, stratified, and how many pictures it holds out."""
    assert images.class_ids is not None
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(images.class_ids, images.class_ids)
    for number, (_, held_out) in enumerate(folds):
        part = np.full(len(images), "train")
        part[held_out] = "test"
        path = folder / f"fold{number}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = ([images.full_path(place), images.class_ids[place], part[place]] for place in range(len(images)))
            csv.writer(file).writerows([("path", "class_id", "split"), *rows])
        yield path, len(held_out)
