"""What a recipe says of the optimizer, its rate and the loss, as Keras takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.recipe import TrainingRecipe

_FIRST_RATE = 0.01
"""Share of the highest rate at which the warm-up begins."""
_FALL = 0.01
"""Share of the highest rate at which `exponential` ends."""


@dataclass(frozen=True, slots=True)
class Run:
    """One phase of a training: how long and how fast, and everything else as the recipe says.

    Training ends early where validation has not improved for `patience` epochs.
    """

    phase: str
    epochs: int
    learning_rate: float
    patience: int
    recipe: TrainingRecipe


def compile_model(model: Any, run: Run, steps: int, *, weighted: bool) -> None:
    """Make `model`, whose output are logits, ready for `fit`, on batches with a weight for each picture or without.

    Where the loss is not the plain cross-entropy, `crossentropy` is, so that figures of different recipes can be
    compared.
    """
    keras, _ = keras_and_tensorflow()
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if weighted or run.recipe.label_smoothing:
        metrics.append(keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="crossentropy"))
    model.compile(
        optimizer=_optimizer(model, run, steps),
        loss=_loss(run.recipe.label_smoothing),
        metrics=metrics,
    )


def _loss(smoothing: float) -> Any:
    keras, _ = keras_and_tensorflow()
    if not smoothing:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def smoothed(truth: Any, logits: Any) -> Any:
        """Cross-entropy with a part of the truth spread over all classes; Keras has it for one-hot truth only."""
        classes = logits.shape[-1]
        one_hot = keras.ops.one_hot(keras.ops.reshape(truth, (-1,)), classes, dtype=logits.dtype)
        return keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True, label_smoothing=smoothing)

    return smoothed


def _optimizer(model: Any, run: Run, steps: int) -> Any:
    keras, _ = keras_and_tensorflow()
    rate, decay = rate_schedule(run, steps), run.recipe.weight_decay
    if run.recipe.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    if run.recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay or None)
    if decay:
        # Biases, and what normalization multiplies with and adds: nothing is gained by keeping those small.
        optimizer.exclude_from_weight_decay(
            var_list=[weight for weight in model.trainable_variables if len(weight.shape) < 2]
        )
    return optimizer


def rate_schedule(run: Run, steps: int) -> Any:
    """The rate as a function of the step, for epochs of `steps`; a plain number for `plateau`, which is cut by hand."""
    keras, _ = keras_and_tensorflow()
    known, highest, share = keras.optimizers.schedules, run.learning_rate, run.recipe.warm_up
    if run.recipe.schedule == "plateau":
        return highest
    total = run.epochs * steps
    rise = max(1, round(total * share)) if share else 0
    rest = max(1, total - rise)
    if run.recipe.schedule == "cosine":
        if not rise:
            return known.CosineDecay(highest, rest)
        return known.CosineDecay(highest * _FIRST_RATE, rest, warmup_target=highest, warmup_steps=rise)
    falls: dict[str, Callable[[], Any]] = {
        "exponential": lambda: known.ExponentialDecay(highest, rest, _FALL),
        "step": lambda: known.PiecewiseConstantDecay([rest / 2, rest * 3 / 4], [highest, highest / 10, highest / 100]),
        "constant": lambda: lambda _step: highest,
    }
    return _risen(falls[run.recipe.schedule](), rise, highest)


def _risen(fall: Any, rise: int, highest: float) -> Any:
    keras, _ = keras_and_tensorflow()

    class Risen(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[name-defined, misc]
        """Rises in a straight line for `rise` steps, then does as `fall` says."""

        def __call__(self, step: Any) -> Any:
            step = keras.ops.cast(step, "float32")
            risen = highest * (_FIRST_RATE + (1 - _FIRST_RATE) * step / max(rise, 1))
            fallen = keras.ops.cast(fall(keras.ops.maximum(step - rise, 0.0)), "float32")
            return keras.ops.where(step < rise, risen, fallen)

    return Risen()
