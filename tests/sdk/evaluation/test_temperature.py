"""Temperature scaling: the known value is found again, and nothing is claimed where nothing can be known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orilla.evaluation.temperature import HIGHEST, LOWEST, fit_temperature
from orilla_runtime.errors import DataError


def drawn(n: int, classes: int, *, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits that are right about themselves: each truth is drawn from its own softmax."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, classes))
    noise = random.gumbel(size=(n, classes))  # the largest of logits + Gumbel noise is a draw from their softmax
    return logits, (logits + noise).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.5, 1.7, 3.0])
def test_a_known_temperature_is_found_again(factor: float) -> None:
    logits, truth = drawn(4000, 5, seed=1)
    found = fit_temperature(logits * factor, truth)
    assert found.value == pytest.approx(factor, rel=0.06)
    assert found.n == 4000
    assert found.nll_after < found.nll_before
    assert found.ece_after < found.ece_before
    assert found.ece_after < 0.03


def test_honest_scores_stay_as_they_are() -> None:
    kept = [fit_temperature(*drawn(300, 4, seed=seed)).value == 1 for seed in range(40)]
    assert sum(kept) >= 34  # the test errs in one of twenty


def test_the_scale_of_the_likelihood_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss

    logits, truth = drawn(200, 3, seed=2)
    powers = np.exp(logits * 2)
    found = fit_temperature(logits * 2, truth)
    assert found.nll_before == pytest.approx(log_loss(truth, powers / powers.sum(axis=1, keepdims=True)))


def test_too_few_pictures_say_nothing() -> None:
    logits, truth = drawn(49, 3, seed=3)
    found = fit_temperature(logits * 10, truth)
    assert found.value == 1
    assert found.nll_after == found.nll_before


def test_without_a_mistake_scores_do_not_grow_without_end() -> None:
    logits, _ = drawn(500, 3, seed=4)
    assert fit_temperature(logits * 0.1, logits.argmax(axis=1)).value == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 6), st.floats(1e-3, 1e3))
def test_it_is_bounded_and_never_worse(seed: int, n: int, classes: int, factor: float) -> None:
    logits, truth = drawn(n, classes, seed=seed)
    found = fit_temperature(logits * factor, truth)
    assert LOWEST * 0.999 <= found.value <= HIGHEST * 1.001
    assert found.nll_after <= found.nll_before
    assert 0 <= found.ece_after <= 1
    order = np.random.default_rng(seed).permutation(n)
    again = fit_temperature((logits * factor)[order] + 7, truth[order])
    assert again.value == pytest.approx(found.value, rel=1e-6) or 1.0 in (again.value, found.value)


@pytest.mark.parametrize(
    ("logits", "truth"),
    [
        (np.zeros((0, 3)), np.zeros(0, np.int64)),
        (np.zeros((2, 3)), np.zeros(3, np.int64)),
        (np.zeros(3), np.zeros(3, np.int64)),
        (np.full((2, 3), np.nan), np.zeros(2, np.int64)),
        (np.zeros((2, 3)), np.array([0, 3])),
        (np.zeros((2, 3)), np.array([0, -1])),
    ],
)
def test_what_does_not_fit_together_is_refused(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> None:
    with pytest.raises(DataError, match="temperature"):
        fit_temperature(logits, truth)
