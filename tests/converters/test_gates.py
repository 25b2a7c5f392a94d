"""The numbers of a comparison, and the words of a gate that fails."""

from __future__ import annotations

import numpy as np
import pytest

from orilla_converters.gates import gate_for, shortcomings
from orilla_converters.metrics import Scores, compare

TRUTH = np.arange(100, dtype=np.int64) % 5


def scores(noise: float = 0.0, seed: int = 0) -> Scores:
    """100 pictures of 5 classes, all right, with noise on the logits."""
    logits = np.eye(5)[TRUTH] * 6 + np.random.default_rng(0).normal(0, 1, (100, 5))
    logits += np.random.default_rng(seed + 1).normal(0, 1, logits.shape) * noise
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_no_difference() -> None:
    comparison = compare(scores(), scores(), TRUTH)
    metrics = comparison.metrics
    assert (metrics.agreement, metrics.sqnr_db, metrics.max_abs_error) == (1.0, None, 0.0)
    assert metrics.accuracy is not None
    assert metrics.accuracy.n == 100
    for precision in ("float32", "float16", "int8"):
        assert shortcomings(comparison, gate_for(precision, labelled=True), precision) == ()


def test_sqnr_is_of_the_logits() -> None:
    """Noise of a tenth of the centred signal's size is 20 dB, whatever the softmax makes of it."""
    keras = scores()
    centred = np.log(keras) - np.log(keras).mean(axis=1, keepdims=True)
    noisy = np.exp(centred * 1.1)
    found = compare(keras, (noisy / noisy.sum(axis=1, keepdims=True)).astype(np.float32), None)
    assert found.metrics.sqnr_db == pytest.approx(20.0, abs=0.05)
    assert found.metrics.accuracy is None


def test_a_tie_is_no_fault_of_a_float_artifact() -> None:
    keras = scores()
    keras[0] = [0.3001, 0.3, 0.2, 0.1, 0.0999]
    found = keras.copy()
    found[0] = [0.3, 0.3001, 0.2, 0.1, 0.0999]
    comparison = compare(keras, found, None)
    assert comparison.metrics.agreement == 0.99
    assert shortcomings(comparison, gate_for("float32", labelled=False), "float32") == ()


def test_what_is_lost_is_named_with_its_limit() -> None:
    found = scores()
    found[:7] = np.roll(found[:7], 1, axis=1)
    texts = shortcomings(compare(scores(), found, TRUTH), gate_for("int8", labelled=True), "int8")
    assert any("93.0 % is 7.0 points below Keras (7 of 100 pictures), 1 allowed" in text for text in texts)
    lenient = gate_for("int8", labelled=True, max_drop=0.07)
    assert not any("points below" in text for text in shortcomings(compare(scores(), found, TRUTH), lenient, "int8"))


@pytest.mark.parametrize(
    ("ruin", "word"),
    [
        (lambda found: np.full_like(found, np.nan), "not finite"),
        (lambda found: np.tile(found[:1], (100, 1)), "constant"),
        (lambda found: np.roll(np.eye(5, dtype=np.float32)[np.zeros(100, int)], 0) * 0.9 + found * 0.1, "collapsed"),
        (lambda found: found * 3, "sum to 1"),
    ],
)
def test_useless_outputs_are_called_by_name(ruin: object, word: str) -> None:
    ruined = ruin(scores())  # type: ignore[operator]
    texts = shortcomings(compare(scores(), ruined, TRUTH), gate_for("int8", labelled=True), "int8")
    assert any(word in text for text in texts)
