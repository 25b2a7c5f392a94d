"""Transfer: a new head on cached features, then fine-tuning of the last blocks; the better of the two is kept."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.feed import Change, Feed
from orilla.data.pictures import Pictures
from orilla.data.rows import Rows
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs
from orilla.models.zoo import ModelEntry
from orilla.training.keeper import Keeper
from orilla.training.loop import fit_best
from orilla.training.optimization import Run
from orilla.training.plan import Plan
from orilla.training.progress import Advance, Note, Phase, Progress
from orilla.training.standing import Fitted, better
from orilla_runtime.errors import SinkError

HEAD_PATIENCE = 15


class Features:
    """The output of a frozen layer for the pictures at `places`, in a file: an `Examples` of a feed."""

    def __init__(self, values: Rows, places: NDArray[np.int64]) -> None:
        self._values = values
        self._rows = np.zeros(int(places.max()) + 1, np.int64)
        self._rows[places] = np.arange(len(places))
        self.shape = values.shape

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        return self._values.read(self._rows[places])


def transfer(
    model: Any,
    entry: ModelEntry,
    feeds: tuple[Feed, Feed],
    pictures: Pictures,
    plan: Plan,
    change: Change | None,
    keeper: Keeper,
    progress: Progress,
) -> tuple[tuple[Fitted, ...], Fitted]:
    """Train `model`, which has its pretrained weights; gives the phases in their order, and the one that was kept.

    feeds: of training and of validation. change: of training pictures in fine-tuning; features are of them unchanged.
    """
    head = keeper.finished("head")
    if head is None:
        with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
            head = _train_head(model, feeds, pictures, plan, keeper, progress, Path(folder))
        keeper.finish(head)
    if plan.recipe.epochs == 0:
        return (head,), head
    before = keeper.begin(model.get_weights())
    tuned = _fine_tune(model, entry, feeds, plan, change, keeper, progress)
    if not better(tuned.best, head.best):
        progress(Note("Fine-tuning did not improve on the new head alone; the head alone is kept."))
        model.set_weights(list(before))
        return (head, tuned), head
    return (head, tuned), tuned


def _train_head(
    model: Any,
    feeds: tuple[Feed, Feed],
    pictures: Pictures,
    plan: Plan,
    keeper: Keeper,
    progress: Progress,
    folder: Path,
) -> Fitted:
    keras, _ = keras_and_tensorflow()
    body = keras.Model(model.input, model.get_layer("features").output)
    places = np.concatenate([feed.places for feed in feeds])
    dropout, logits = model.get_layer("dropout"), model.get_layer("logits")
    values = keras.Input(body.output.shape[1:], name="features")
    # The layers are the model's own: what the head learns here, the model knows.
    head = keras.Model(values, logits(dropout(values)))
    recipe = plan.recipe
    run = Run("head", recipe.head_epochs, recipe.head_learning_rate, HEAD_PATIENCE, recipe)
    with Rows(folder / "features", body.output.shape[1:], np.float32) as rows:
        rows.hide()
        _compute(body, pictures, places, recipe.batch_size, progress, rows)
        train, validation = (replace(feed, examples=Features(rows, places)) for feed in feeds)
        return fit_best(head, train, validation, run, seed=plan.seed, progress=progress, keeper=keeper)


def _compute(
    body: Any, pictures: Pictures, places: NDArray[np.int64], batch_size: int, progress: Progress, rows: Rows
) -> None:
    """One pass of the pictures through the frozen layers; batch normalization stays as it is."""
    progress(Phase("features", f"{len(places)} pictures through the frozen layers", len(places)))
    for values in outputs(body, pictures.batches(places, batch_size)):
        if not all(rows.append(value) for value in values):
            raise SinkError("The disk of scratch files is full.", "Free space there, or set TMPDIR to another place.")
        progress(Advance(len(rows)))


def _fine_tune(
    model: Any,
    entry: ModelEntry,
    feeds: tuple[Feed, Feed],
    plan: Plan,
    change: Change | None,
    keeper: Keeper,
    progress: Progress,
) -> Fitted:
    keras, _ = keras_and_tensorflow()
    names = [layer.name for layer in model.layers]
    first = names.index(entry.frozen_before)
    for place, layer in enumerate(model.layers):
        # Frozen batch normalization keeps its averages too: a few pictures would only spoil them.
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)
    logits = keras.Model(model.input, model.get_layer("logits").output)
    recipe = plan.recipe
    run = Run("fine-tune", recipe.epochs, recipe.learning_rate, recipe.patience, recipe)
    fitted = fit_best(logits, *feeds, run, seed=plan.seed, progress=progress, keeper=keeper, change=change)
    for layer in model.layers:
        layer.trainable = True
    return fitted
