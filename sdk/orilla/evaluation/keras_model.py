"""A Keras model of Orilla on labelled pictures: the same pictures, the same Preprocess, Keras in place of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs
from orilla_converters.keras_card import KerasCard, read_card
from orilla_runtime.errors import DataError, ModelError, SourceError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.sources.picture import read_picture

BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class KerasScores:
    """What the model says of every picture that could be read.

    scores: probabilities, float32 [n, classes]. truth: int64 [n], in the model's labels; empty for pictures without
    labels. paths: of the n pictures, relative, with `/`. failed: the others, and why.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    truth: NDArray[np.int64]
    paths: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def keras_scores(
    path: str | Path, images: LabelledImages, *, progress: Callable[[int, int], None] | None = None
) -> KerasScores:
    """Run a `.keras` file of Orilla over pictures, in batches; `progress` is called with (done, total).

    Raises:
        ModelError: not a model that Keras opens, or one without the card that says how a picture goes in.
        DataError: a class that is no label of the model, or no picture that can be read.
    """
    file = Path(path)
    card = keras_card(file)
    aligned = images.aligned(card.labels)
    model = load_keras(file)
    reading = _Reading(aligned, card.preprocess, progress)
    scores = [_as_probabilities(batch, card) for batch in outputs(model, reading.batches())]
    if not scores:
        first = reading.failed[0][1] if reading.failed else ""
        raise DataError(f"None of the {len(images)} pictures could be read: {first}", "Check the files.")
    truth = np.empty(0, np.int64) if aligned.class_ids is None else aligned.class_ids[reading.read]
    names = tuple(aligned.paths[place].as_posix() for place in reading.read)
    return KerasScores(card.labels, np.concatenate(scores), truth, names, tuple(reading.failed))


class _Reading:
    """Streams pictures as batches and keeps which could be read."""

    def __init__(
        self, images: LabelledImages, preprocess: Preprocess, progress: Callable[[int, int], None] | None
    ) -> None:
        self._images, self._preprocessor, self._progress = images, Preprocessor(preprocess), progress
        self.read: list[int] = []
        self.failed: list[tuple[str, str]] = []

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        batch: list[NDArray[np.uint8]] = []
        for place, path in enumerate(self._images.paths):
            try:
                batch.append(self._preprocessor(read_picture(self._images.full_path(place)))[0].copy())
                self.read.append(place)
            except SourceError as error:
                self.failed.append((path.as_posix(), error.message))
            if self._progress:
                self._progress(place + 1, len(self._images))
            if len(batch) == BATCH_SIZE:
                yield np.stack(batch)
                batch = []
        if batch:
            yield np.stack(batch)


def keras_card(file: Path) -> KerasCard:
    """The card of a `.keras` file, which must have one.

    Raises:
        ModelError: it has none. DataError: no such file, or not a `.keras` file.
    """
    card = read_card(file)
    if card is None:
        raise ModelError(
            f"{file} does not say what its classes are nor how a picture goes in.",
            "Train it with `orilla train`, or add a card with orilla_converters.keras_card.write_card.",
        )
    return card


def load_keras(file: Path) -> Any:
    """The `keras.Model` of a file, not compiled.

    Raises:
        ModelError: Keras cannot open it.
    """
    keras, _ = keras_and_tensorflow()
    try:
        return keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises anything for a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{file}: Keras cannot open it: {reason[:200]}", "Train the model again.") from error


def _as_probabilities(batch: NDArray[np.float32], card: KerasCard) -> NDArray[np.float32]:
    if card.output == "probabilities":
        return batch
    powers = np.exp(batch - batch.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
