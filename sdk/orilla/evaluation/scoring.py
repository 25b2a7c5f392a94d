"""The scores of several models on the same pictures: each picture is read and prepared once, and not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError, SourceError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.model import Model
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What the models say of the pictures that could be read.

    scores: one array a model, probabilities float32 [n, classes]. truth: int64 [n], in the model's labels. read: int64
    [n], the pictures' places in the set. paths: of them, with `/`. failed: the others, and why.
    """

    scores: tuple[NDArray[np.float32], ...]
    truth: NDArray[np.int64]
    read: NDArray[np.int64]
    paths: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def score_with(models: Sequence[Model], images: LabelledImages, progress: Callable[[int, int], None] | None) -> Scored:
    """Ask every model about every picture; `progress` is called with (done, total).

    Raises:
        DataError: a class that is no label of the models, or no picture that can be read.
    """
    first = models[0]
    assert first.preprocess is not None
    aligned = images.aligned(first.labels)
    assert aligned.class_ids is not None
    preprocessor = Preprocessor(first.preprocess)
    scores = tuple(np.empty((len(images), len(first.labels)), np.float32) for _ in models)
    read: list[int] = []
    failed: list[tuple[str, str]] = []
    for place, path in enumerate(images.paths):
        if progress:
            progress(place, len(images))
        try:
            tensor = preprocessor(read_picture(images.full_path(place)))
        except SourceError as error:
            failed.append((path.as_posix(), error.message))
            continue
        for model, rows in zip(models, scores, strict=True):
            rows[len(read)] = model.scores(tensor)
        read.append(place)
    if progress:
        progress(len(images), len(images))
    if not read:
        raise DataError(f"None of the {len(failed)} pictures could be read: {failed[0][1]}", "Check the files.")
    places = np.array(read, np.int64)
    paths = tuple(images.paths[place].as_posix() for place in read)
    return Scored(tuple(rows[: len(read)] for rows in scores), aligned.class_ids[places], places, paths, tuple(failed))
