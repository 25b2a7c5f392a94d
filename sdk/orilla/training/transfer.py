"""Transfer: a new head on cached features, then fine-tuning of the last blocks; the better of the two is kept."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.feed import Feed, Shift
from orilla.data.pictures import Pictures
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs
from orilla.models.zoo import ModelEntry
from orilla.training.loop import Fitted, Run, better, fit_best
from orilla.training.plan import Plan
from orilla.training.progress import Advance, Note, Phase, Progress

HEAD_PATIENCE = 5


class Features:
    """The output of a frozen layer for the pictures at `places`, as a file that is mapped: an `Examples` of a feed."""

    def __init__(self, values: NDArray[np.float32], places: NDArray[np.int64]) -> None:
        self._values = values
        self._rows = np.zeros(int(places.max()) + 1, np.int64)
        self._rows[places] = np.arange(len(places))
        self.shape = values.shape[1:]

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        return self._values[self._rows[places]]


def transfer(
    model: Any, entry: ModelEntry, train: Feed, validation: Feed, pictures: Pictures, plan: Plan, progress: Progress
) -> tuple[Fitted, ...]:
    """Train `model`, which has its pretrained weights; it is left with the best, of the last run given."""
    with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
        head = _train_head(model, train, validation, pictures, plan, progress, Path(folder))
    if plan.recipe.epochs == 0:
        return (head,)
    before = model.get_weights()
    tuned = _fine_tune(model, entry, train, validation, plan, progress)
    if not better(tuned.best, head.best):
        progress(Note("Fine-tuning did not improve on the new head alone; the head alone is kept."))
        model.set_weights(before)
        return (tuned, head)
    return (head, tuned)


def _train_head(
    model: Any, train: Feed, validation: Feed, pictures: Pictures, plan: Plan, progress: Progress, folder: Path
) -> Fitted:
    keras, _ = keras_and_tensorflow()
    body = keras.Model(model.input, model.get_layer("features").output)
    places = np.concatenate([train.places, validation.places])
    features = Features(
        _computed(body, pictures, places, plan.recipe.batch_size, progress, folder / "features"), places
    )
    dropout, logits = model.get_layer("dropout"), model.get_layer("logits")
    values = keras.Input(features.shape, name="features")
    # The layers are the model's own: what the head learns here, the model knows.
    head = keras.Model(values, logits(dropout(values)))
    run = Run("head", plan.recipe.head_epochs, plan.recipe.head_learning_rate, HEAD_PATIENCE)
    return fit_best(
        head,
        replace(train, examples=features),
        replace(validation, examples=features),
        run,
        seed=plan.seed,
        progress=progress,
    )


def _computed(
    body: Any, pictures: Pictures, places: NDArray[np.int64], batch_size: int, progress: Progress, path: Path
) -> NDArray[np.float32]:
    """One pass of the pictures through the frozen layers; batch normalization stays as it is."""
    progress(Phase("features", f"{len(places)} pictures through the frozen layers", len(places)))
    done = 0
    with path.open("wb") as file:
        for values in outputs(body, pictures.batches(places, batch_size)):
            file.write(values.tobytes())
            done += len(values)
            progress(Advance(done))
    return np.memmap(path, np.float32, "r", shape=(len(places), *body.output.shape[1:]))


def _fine_tune(model: Any, entry: ModelEntry, train: Feed, validation: Feed, plan: Plan, progress: Progress) -> Fitted:
    keras, _ = keras_and_tensorflow()
    names = [layer.name for layer in model.layers]
    first = names.index(entry.frozen_before)
    for place, layer in enumerate(model.layers):
        # Frozen batch normalization keeps its averages too: a few pictures would only spoil them.
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)
    logits = keras.Model(model.input, model.get_layer("logits").output)
    run = Run("fine-tune", plan.recipe.epochs, plan.recipe.learning_rate, plan.recipe.patience)
    shift = plan.recipe.augmentation.shift
    change = Shift(plan.seed, shift, len(train.class_ids)) if shift else None
    fitted = fit_best(logits, train, validation, run, seed=plan.seed, progress=progress, change=change)
    for layer in model.layers:
        layer.trainable = True
    return fitted
