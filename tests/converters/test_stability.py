"""Ties, decisions at thresholds, cosine and saturation: what a top-1 does not show."""

from __future__ import annotations

import numpy as np
import pytest

from orilla_converters.gates import gate_for, shortcomings
from orilla_converters.metrics import Scores, compare, cosine
from orilla_converters.stability import checked_thresholds, flips, untied, worst_pictures
from orilla_runtime.errors import UsageError


def softmax(logits: np.ndarray) -> Scores:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def scores(classes: int = 100, n: int = 200, width: float = 2.0) -> Scores:
    return softmax(np.random.default_rng(0).normal(0, width, (n, classes)))


def test_a_coarse_step_of_the_logits_ties_places() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (200, 100))
    assert untied(softmax(logits)) == 1.0
    shares = [untied(softmax(np.round(logits / step) * step)) for step in (0.001, 0.1, 1.0)]
    assert shares[0] > 0.95 > shares[1] > shares[2]


@pytest.mark.parametrize(
    ("row", "share"),
    [
        ([0.3, 0.25, 0.2, 0.15, 0.05, 0.05], 1.0),  # fifth and sixth: outside of the five places
        ([0.3, 0.25, 0.2, 0.1, 0.1, 0.05], 0.0),
        ([0.5, 0.3, 0.2], 1.0),
        ([0.4, 0.4, 0.2], 0.0),
    ],
)
def test_places_one_to_five(row: list[float], share: float) -> None:
    assert untied(np.array([row], np.float32)) == share


def test_decisions_that_flip() -> None:
    keras = np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4], [0.9, 0.1], [0.55, 0.45]], np.float32)
    found = np.array([[0.8, 0.2], [0.6, 0.4], [0.8, 0.2], [0.1, 0.9], [0.45, 0.55]], np.float32)
    low, high = flips(keras, found, [0.7, 0.5])
    assert (low.threshold, low.accepted, low.lost, low.gained, low.changed) == (0.5, 5, 0, 0, 2)
    assert (high.threshold, high.accepted, high.lost, high.gained, high.changed) == (0.7, 3, 1, 1, 1)
    assert high.total == 3


def test_thresholds_are_scores() -> None:
    assert checked_thresholds([0.99, 0.5]) == (0.5, 0.7, 0.9, 0.99)
    for threshold in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="threshold"):
            checked_thresholds([threshold])


def test_cosine_is_of_the_direction_of_the_logits() -> None:
    keras = scores()
    assert cosine(keras, keras) == 1.0
    assert cosine(keras, softmax(np.log(keras) * 1.5)) == pytest.approx(1.0, abs=1e-5), "a scale changes no direction"
    assert cosine(keras, softmax(-np.log(keras))) == pytest.approx(-1.0, abs=1e-3)
    flat = np.full((2, 4), 0.25, np.float32)
    assert cosine(flat, flat) == 1.0
    assert cosine(flat, scores(4, 2)) == 0.0


def test_the_worst_pictures_come_first_with_both_sides() -> None:
    keras, found = scores(), scores()
    found[17] = np.roll(found[17], 1)
    found[5] = found[5] * 0.999
    worst = worst_pictures(keras, found)
    assert [one.index for one in worst[:2]] == [17, 5]
    assert worst[0].error == pytest.approx(float(np.abs(keras[17] - found[17]).max()), abs=1e-6)
    assert worst[0].keras[0] == (int(keras[17].argmax()), pytest.approx(float(keras[17].max()), abs=1e-6))
    assert worst[0].artifact[0][0] == (worst[0].keras[0][0] + 1) % 100


@pytest.mark.parametrize(
    ("ruin", "word"),
    [
        (lambda logits: logits * 200, "a score of 1 on"),
        (lambda logits: np.minimum(logits, 0.5), "the same score on"),
    ],
)
def test_clipped_outputs_are_called_saturated(ruin: object, word: str) -> None:
    logits = np.random.default_rng(0).normal(0, 2, (200, 100))
    found = softmax(ruin(logits))  # type: ignore[operator]
    comparison = compare(softmax(logits), found, None)
    texts = shortcomings(comparison, gate_for("int8", labelled=False), "int8")
    assert any("saturated" in text and word in text for text in texts), texts


def test_a_sure_model_is_not_called_saturated() -> None:
    keras = softmax(np.random.default_rng(0).normal(0, 40, (200, 10)))
    noisy = softmax(np.log(keras + 1e-12) + np.random.default_rng(1).normal(0, 0.3, keras.shape))
    assert not compare(keras, noisy, None).faults
