"""Epoch after epoch to the best one, from the start or from a checkpoint; the one place that calls `fit`."""

from __future__ import annotations

from typing import Any

from orilla.data.feed import Change, Feed
from orilla.keras_backend import keras_and_tensorflow
from orilla.training.keeper import Keeper
from orilla.training.optimization import Run, compile_model
from orilla.training.progress import Note, Phase, Progress
from orilla.training.standing import Fitted
from orilla.training.watch import Watch
from orilla_runtime.errors import OrillaError


def fit_best(
    model: Any,
    train: Feed,
    validation: Feed,
    run: Run,
    *,
    seed: int,
    progress: Progress,
    keeper: Keeper,
    change: Change | None = None,
) -> Fitted:
    """Train `model` (its output are logits) and leave it with the weights of its best epoch.

    Raises:
        OrillaError: the loss became infinite or no number, and no epoch before was good; or the memory is too small.
        DataError: a picture cannot be read any more. SinkError: the checkpoint cannot be written.
    """
    progress(Phase(run.phase, f"{len(train.places)} pictures, {run.epochs} epochs at most", run.epochs))
    compile_model(model, run, train.steps, weighted=train.weights is not None)
    watch = Watch(model, run, train, validation, progress, keeper)
    checkpoint = keeper.standing(run.phase)
    if checkpoint:
        watch.restore(checkpoint)
        progress(Note(f"Goes on {_place(watch)}."))
    while not watch.standing.ended:
        # Keras counts the batches of a call; the rest of an epoch that was cut is a call of its own.
        now = watch.standing
        _, tf = keras_and_tensorflow()
        try:
            model.fit(
                train.training(seed, change, now.epoch, now.step),
                initial_epoch=now.epoch,
                epochs=now.epoch + 1 if now.step else run.epochs,
                steps_per_epoch=train.steps - now.step,
                callbacks=watch.callbacks,
                shuffle=False,
                verbose=0,
            )
        except tf.errors.OpError as error:
            for failure in (*train.failures, *validation.failures):
                raise failure from None
            if isinstance(error, tf.errors.ResourceExhaustedError):
                raise OrillaError(
                    f"There is not enough memory for a step on {train.batch_size} pictures.",
                    "Take a smaller --batch-size, or a smaller --image-size.",
                ) from error
            raise
    return watch.result()


def _place(watch: Watch) -> str:
    now = watch.standing
    batch = f", batch {now.step}" if now.step else ""
    return f"after epoch {now.epoch}{batch} of {now.phase!r}" + (", which was at its end" if now.ended else "")
