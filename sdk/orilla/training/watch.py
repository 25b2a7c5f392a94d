"""Follows the epochs of one phase: tells of them, keeps the best weights and the checkpoint, cuts the rate, ends."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orilla.data.feed import Feed
from orilla.keras_backend import keras_and_tensorflow
from orilla.training.checkpoint import Arrays, Checkpoint
from orilla.training.keeper import Keeper
from orilla.training.optimization import Run
from orilla.training.progress import EpochEnd, Note, Progress, Steps
from orilla.training.standing import Fitted, Standing, best_after
from orilla.training.validation import Validated, Validation
from orilla_runtime.errors import DataError, OrillaError

_TELL_SECONDS = 0.25


class Watch:
    """The callbacks of `fit` for one phase; `standing` says where it is."""

    def __init__(self, model: Any, run: Run, train: Feed, validation: Feed, progress: Progress, keeper: Keeper) -> None:
        self._model, self._run, self._progress, self._keeper = model, run, progress, keeper
        self._steps, self._weighted = train.steps, train.weights is not None
        self._validation = len(validation.places)
        self._validate = Validation(model, validation)
        self._weights: Arrays = ()
        self._metrics: Arrays = ()
        self._first_step = 0
        self._started = self._told = time.monotonic()
        self.standing = Standing(run.phase)

    @property
    def callbacks(self) -> list[Any]:
        """For one call of `fit`, which goes on from `standing`."""
        keras, _ = keras_and_tensorflow()
        self._first_step = self.standing.step
        return [
            keras.callbacks.LambdaCallback(
                on_epoch_begin=self._begin, on_train_batch_end=self._batch, on_epoch_end=self._end
            )
        ]

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; the model is compiled.

        Raises:
            DataError: its arrays are not those of the model.
        """
        groups = checkpoint.groups
        try:
            _assign(self._model.variables, groups["state"])
            self._model.optimizer.build(self._model.trainable_variables)
            _assign(self._model.optimizer.variables, groups["optimizer"])
            self._weights, self._metrics = groups["best"], groups["metrics"]
        except (KeyError, ValueError) as error:
            raise DataError(f"The checkpoint does not fit the model ({error}).", "Leave out --resume.") from error
        self.standing = checkpoint.standing

    def result(self) -> Fitted:
        """What the phase came to; the model has the weights of its best epoch."""
        assert self.standing.best is not None
        self._model.set_weights(list(self._weights))
        return Fitted(self.standing.history, self.standing.best)

    def _begin(self, _epoch: int, _logs: object = None) -> None:
        self._started = time.monotonic() - self.standing.spent

    def _batch(self, batch: int, logs: Mapping[str, float]) -> None:
        done, now = self._first_step + batch + 1, time.monotonic()
        if self._metrics:
            # The rest of an epoch that a kill has cut. Metrics are sums, and are made in the first batch only; so what
            # was summed before is added behind it, which gives the same bits.
            for variable, value in zip(self._model.metrics_variables, self._metrics, strict=True):
                variable.assign_add(value)
            self._metrics = ()
        if not math.isfinite(logs["loss"]):
            self._model.stop_training = True
            return
        if done < self._steps and self._keeper.due:
            self.standing = replace(self.standing, step=done, spent=now - self._started)
            self._keep(metrics=True)
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            self._progress(Steps(self.standing.epoch + 1, done, self._steps, logs["loss"], logs["accuracy"]))

    def _end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._first_step = 0
        end = self._told_of(epoch + 1, logs, self._validate())
        if not (math.isfinite(end.loss) and math.isfinite(end.val_loss) and math.isfinite(logs["loss"])):
            self._diverged(end.epoch)
            return
        now = self.standing
        best = best_after(now.history, now.best, end, self._validation)
        if best is end:
            self._weights = self._model.get_weights()
        ended = end.epoch == self._run.epochs or end.epoch - best.epoch >= self._run.patience
        self.standing = Standing(
            self._run.phase, end.epoch, 0, (*now.history, end), best, self._cut(end, best), 0.0, ended
        )
        self._model.stop_training = ended
        self._keep()
        self._progress(end)

    def _told_of(self, epoch: int, logs: Mapping[str, float], validated: Validated) -> EpochEnd:
        return EpochEnd(
            phase=self._run.phase,
            epoch=epoch,
            epochs=self._run.epochs,
            loss=float(logs.get("crossentropy", logs["loss"])),
            accuracy=float(logs["accuracy"]),
            val_loss=validated.loss,
            val_accuracy=validated.accuracy,
            learning_rate=float(self._model.optimizer.learning_rate),
            seconds=time.monotonic() - self._started,
            val_balanced=validated.balanced if self._weighted else None,
        )

    def _cut(self, end: EpochEnd, best: EpochEnd) -> int:
        """Halve the rate where validation has stood still for half the patience; gives the epoch of the last cut."""
        since = max(best.epoch, self.standing.cut_at)
        if self._run.recipe.schedule != "plateau" or end.epoch - since < max(1, self._run.patience // 2):
            return self.standing.cut_at
        self._model.optimizer.learning_rate = float(self._model.optimizer.learning_rate) / 2
        return end.epoch

    def _diverged(self, epoch: int) -> None:
        if self.standing.best is None:
            raise OrillaError(
                f"The loss is no number any more in epoch {epoch}: training diverged.", "Take a lower --learning-rate."
            )
        self._progress(Note(f"The loss is no number any more in epoch {epoch}; the best epoch before it is kept."))
        self.standing = replace(self.standing, ended=True)
        self._model.stop_training = True
        self._keep()

    def _keep(self, *, metrics: bool = False) -> None:
        if not self._keeper.writes:
            return
        model = self._model
        groups = {
            "state": model.variables,
            "optimizer": model.optimizer.variables,
            "metrics": model.metrics_variables if metrics else (),
        }
        arrays = {name: [variable.numpy() for variable in group] for name, group in groups.items()}
        self._keeper.keep(self.standing, {**arrays, "best": self._weights})


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"{variable.path} is {tuple(variable.shape)}, not {value.shape}")
        variable.assign(value)
