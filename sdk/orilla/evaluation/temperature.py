"""One number that makes a net's scores mean what they say: temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.calibration import calibration_error
from orilla_runtime.errors import DataError

LOWEST, HIGHEST = 0.1, 10.0
SMALLEST_SET = 50
_CLEAR = 3.841459
"""95 % of a chi-square with one degree of freedom: twice the gained log-likelihood that chance alone seldom reaches."""
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Temperature:
    """What the logits are to be divided by. It is 1 where the pictures cannot say that another value is better.

    n: pictures it was fitted on. nll: mean negative logarithm of the true class's probability, in nats. ece: expected
    calibration error, 0 to 1; each before and after.
    """

    value: float
    n: int
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float


def fit_temperature(logits: NDArray[Any], truth: NDArray[np.integer]) -> Temperature:
    """The temperature, 0.1 to 10, with the least negative log-likelihood on pictures that training has not seen.

    The likelihood is convex in 1/T, so its slope is halved down to one place. 1 is kept for fewer than 50 pictures; for
    none that is wrong (the likelihood would then have the scores grow without end); and where a likelihood-ratio test
    does not tell the fitted value from 1.

    Args:
        logits: float [n, classes], or logarithms of probabilities.
        truth: int [n], the true classes.

    Raises:
        DataError: not one true class for each row, none at all, or logits that are not finite.
    """
    values, classes = np.asarray(logits, np.float64), np.asarray(truth, np.int64)
    _check(values, classes)
    values = values - values.max(axis=1, keepdims=True)
    before = _nll(values, classes, 1.0)
    wrong = bool((values.argmax(axis=1) != classes).any())
    temperature = 1.0
    if len(values) >= SMALLEST_SET and wrong:
        found = 1 / _best_factor(values, classes)
        gained = before - _nll(values, classes, 1 / found)
        temperature = found if 2 * len(values) * gained > _CLEAR else 1.0
    return Temperature(
        value=temperature,
        n=len(values),
        nll_before=before,
        nll_after=_nll(values, classes, 1 / temperature),
        ece_before=_ece(values, classes, 1.0),
        ece_after=_ece(values, classes, 1 / temperature),
    )


def _check(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> None:
    if logits.ndim != 2 or truth.shape != logits.shape[:1] or logits.size == 0:
        raise DataError(f"No temperature can be fitted on logits {logits.shape} and classes {truth.shape}.")
    if not np.isfinite(logits).all():
        raise DataError("No temperature can be fitted: the logits are not finite.", "The model is ruined: train again.")
    if truth.min() < 0 or truth.max() >= logits.shape[1]:
        raise DataError(f"No temperature can be fitted: a true class is none of the {logits.shape[1]}.")


def _best_factor(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """1/T where the slope of the likelihood changes its sign; an end of the range where it does not."""
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(logits, truth, middle) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _slope(logits: NDArray[np.float64], truth: NDArray[np.int64], factor: float) -> float:
    """Of the negative log-likelihood by the factor: the expected logit less the true class's, on average."""
    expected = (_softmax(logits * factor) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(truth)), truth]).mean())


def _nll(logits: NDArray[np.float64], truth: NDArray[np.int64], factor: float) -> float:
    scaled = logits * factor
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).mean())


def _ece(logits: NDArray[np.float64], truth: NDArray[np.int64], factor: float) -> float:
    scores = _softmax(logits * factor)
    return calibration_error(scores.max(axis=1), scores.argmax(axis=1) == truth)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of logits whose largest is 0 in every row."""
    powers = np.exp(logits)
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
