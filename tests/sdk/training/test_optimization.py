"""What a recipe becomes in Keras: the rate over the steps, who decays, the loss, and how much a class counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.recipe import TrainingRecipe
from orilla.training.optimization import Run, compile_model, rate_schedule
from orilla.training.parts import class_weights

STEPS, EPOCHS, HIGHEST = 10, 20, 0.1


def run(**changes: Any) -> Run:
    recipe = TrainingRecipe(epochs=EPOCHS, learning_rate=HIGHEST, patience=5, **changes)
    return Run("train", EPOCHS, HIGHEST, 5, recipe)


def rates(**changes: Any) -> list[float]:
    schedule = rate_schedule(run(**changes), STEPS)
    return [float(schedule(step)) for step in range(STEPS * EPOCHS)]


@pytest.mark.parametrize("schedule", ["cosine", "constant", "exponential", "step"])
def test_the_rate_rises_to_its_highest(schedule: str) -> None:
    found = rates(schedule=schedule, warm_up=0.1)
    assert found[0] == pytest.approx(HIGHEST / 100)
    assert found[10] == pytest.approx(HIGHEST * 0.505)
    assert found[20] == pytest.approx(HIGHEST)
    assert found == sorted(found[:20]) + sorted(found[20:], reverse=True)


@pytest.mark.parametrize(
    ("schedule", "middle", "last"),
    [("cosine", 0.5, 0.0), ("constant", 1.0, 1.0), ("exponential", 0.1, 0.01), ("step", 0.1, 0.01)],
)
def test_the_rate_falls_as_its_schedule_says(schedule: str, middle: float, last: float) -> None:
    found = rates(schedule=schedule, warm_up=0.0)
    assert found[0] == pytest.approx(HIGHEST)
    assert found[101] == pytest.approx(HIGHEST * middle, rel=0.06)
    assert found[-1] == pytest.approx(HIGHEST * last, rel=0.06, abs=HIGHEST * 1e-4)


def compiled(**changes: Any) -> Any:
    keras, _ = keras_and_tensorflow()
    image = keras.Input((4,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(3)(image))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    compile_model(model, run(warm_up=0.0, **changes), STEPS, weighted=False)
    return model


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_only_kernels_decay(optimizer: str) -> None:
    model = compiled(optimizer=optimizer, weight_decay=0.1, schedule="plateau")
    model.optimizer.apply(
        [np.zeros(weight.shape, np.float32) for weight in model.trainable_weights], model.trainable_weights
    )
    for weight in model.trainable_weights:
        expected = 1 - HIGHEST * 0.1 if len(weight.shape) > 1 else 1.0
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6, err_msg=weight.path)


def test_smoothing_spreads_the_truth() -> None:
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    truth = np.array([0, 2, 1, 1, 0, 2])
    loss = compiled(label_smoothing=0.2).loss(truth, logits)
    spread = np.eye(3)[truth] * 0.8 + 0.2 / 3
    logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(np.asarray(loss), -(spread * logarithms).sum(axis=1), rtol=1e-5)


def test_balanced_classes_count_alike_and_the_mean_is_one() -> None:
    class_ids = np.repeat([0, 1, 2], [70, 20, 10])
    part = np.arange(90)  # no picture of the third class
    assert class_weights(class_ids, part, "none") is None
    weights = class_weights(class_ids, part, "balanced")
    assert weights is not None
    totals = np.bincount(class_ids[part], weights[class_ids[part]], 3)
    np.testing.assert_allclose(totals, [45, 45, 0], rtol=1e-6)
