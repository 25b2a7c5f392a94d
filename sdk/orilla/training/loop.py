"""Epochs with a falling rate, early stopping and the best epoch kept; the one place that calls `fit`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orilla.data.feed import Change, Feed
from orilla.keras_backend import keras_and_tensorflow
from orilla.training.progress import EpochEnd, Note, Phase, Progress
from orilla_runtime.errors import OrillaError

_WARM_UP = 0.05
"""Share of the steps in which the rate rises to its peak."""


@dataclass(frozen=True, slots=True)
class Run:
    """How long and how fast. The rate rises to `learning_rate` and falls to nothing along a cosine.

    Training ends early where validation has not improved for `patience` epochs.
    """

    phase: str
    epochs: int
    learning_rate: float
    patience: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """What happened; the model holds the weights of `best`."""

    history: tuple[EpochEnd, ...]
    best: EpochEnd


def better(one: EpochEnd, other: EpochEnd) -> bool:
    """True where `one` is the better epoch: more pictures right in validation, then the smaller loss."""
    return (one.val_accuracy, -one.val_loss) > (other.val_accuracy, -other.val_loss)


def fit_best(
    model: Any, train: Feed, validation: Feed, run: Run, *, seed: int, progress: Progress, change: Change | None = None
) -> Fitted:
    """Train `model` (its output are logits) and leave it with the weights of its best epoch.

    Raises:
        OrillaError: the loss became infinite or no number, and no epoch before was good.
    """
    progress(Phase(run.phase, f"{len(train.places)} pictures, {run.epochs} epochs at most", run.epochs))
    _compile(model, run, train.steps)
    watch = _Watch(model, run, progress)
    keras, _ = keras_and_tensorflow()
    model.fit(
        train.training(seed, change),
        epochs=run.epochs,
        steps_per_epoch=train.steps,
        validation_data=validation.in_order(),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=watch.begin, on_epoch_end=watch.end)],
        shuffle=False,
        verbose=0,
    )
    return watch.result()


def _compile(model: Any, run: Run, steps: int) -> None:
    keras, _ = keras_and_tensorflow()
    total = run.epochs * steps
    warm_up = max(1, round(total * _WARM_UP))
    rate = keras.optimizers.schedules.CosineDecay(
        run.learning_rate * 0.01, max(1, total - warm_up), warmup_target=run.learning_rate, warmup_steps=warm_up
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


class _Watch:
    """Follows the epochs of one run: tells of them, keeps the best weights, ends the run."""

    def __init__(self, model: Any, run: Run, progress: Progress) -> None:
        self._model, self._run, self._progress = model, run, progress
        self._history: list[EpochEnd] = []
        self._best: EpochEnd | None = None
        self._weights: list[Any] = []
        self._started = 0.0

    def begin(self, _epoch: int, _logs: object = None) -> None:
        self._started = time.monotonic()

    def end(self, epoch: int, logs: Mapping[str, float]) -> None:
        end = EpochEnd(
            phase=self._run.phase,
            epoch=epoch + 1,
            epochs=self._run.epochs,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=float(logs["val_loss"]),
            val_accuracy=float(logs["val_accuracy"]),
            learning_rate=float(self._model.optimizer.learning_rate),
            seconds=time.monotonic() - self._started,
        )
        if not (math.isfinite(end.loss) and math.isfinite(end.val_loss)):
            self._diverged(epoch + 1)
            return
        self._history.append(end)
        self._progress(end)
        if self._best is None or better(end, self._best):
            self._best, self._weights = end, self._model.get_weights()
        elif end.epoch - self._best.epoch >= self._run.patience:
            self._model.stop_training = True

    def _diverged(self, epoch: int) -> None:
        if self._best is None:
            raise OrillaError(
                f"The loss is no number any more in epoch {epoch}: training diverged.", "Take a lower --learning-rate."
            )
        self._progress(Note(f"The loss is no number any more in epoch {epoch}; the best epoch before it is kept."))
        self._model.stop_training = True

    def result(self) -> Fitted:
        assert self._best is not None
        self._model.set_weights(self._weights)
        return Fitted(tuple(self._history), self._best)
