"""Scores against values that others computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.errors import DataError
from orilla_runtime.labelled.scores import agreement, top1, wilson


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_what_the_literature_says(correct: int, n: int, low: float, high: float) -> None:
    assert wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    for correct, n in ((-1, 5), (6, 5), (1, 0)):
        with pytest.raises(ValueError):
            wilson(correct, n)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    correct, n = counts
    low, high = wilson(correct, n)
    assert 0.0 <= low <= correct / n <= high <= 1.0
    assert wilson(n - correct, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_top1_and_agreement() -> None:
    accuracy = top1([1, 2, 3, 3], np.array([1, 2, 3, 0]))
    assert (accuracy.n, accuracy.top1) == (4, 0.75)
    assert (accuracy.low, accuracy.high) == wilson(3, 4)
    assert agreement([1, 2], [1, 3]) == 0.5


@pytest.mark.parametrize(("first", "second"), [([], []), ([1], [1, 2]), ([[1]], [[1]])])
def test_what_cannot_be_compared(first: list[int], second: list[int]) -> None:
    with pytest.raises(DataError):
        top1(first, second)
    with pytest.raises(DataError):
        agreement(first, second)
