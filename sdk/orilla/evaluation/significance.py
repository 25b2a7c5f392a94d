"""Exact tests on counts, for questions that small sets of pictures leave open; they need numpy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of McNemar's exact test (1947; binomial), 0 to 1.

    Two classifiers on the same pictures: `only_first` are right with the first one alone, `only_second` with the other.
    """
    n = only_first + only_second
    tail = _log_sum([_log_choose(n, k) for k in range(min(only_first, only_second) + 1)])
    return min(1.0, 2 * math.exp(tail - n * math.log(2)))


def worse_than_the_rest(strata: Sequence[tuple[int, int, int, int]]) -> float:
    """One-sided p-value, 0 to 1, that a group errs no more often than the others.

    Each stratum is (errors in the group, pictures in the group, errors in all, pictures in all). One stratum is
    Fisher's exact test; several, such as classes, are the exact test of Birch (1964) on their sum: whether the group
    is worse than its own mixture of strata explains.
    """
    observed, total = 0, np.ones(1)
    for errors, members, all_errors, everyone in strata:
        least, shares = _hypergeometric(members, all_errors, everyone)
        observed += errors - least
        total = np.convolve(total, shares)
    return float(min(1.0, max(0.0, total[observed:].sum())))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values made larger for the number of questions asked (Holm 1979), in their order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return tuple(adjusted)


def _hypergeometric(members: int, marked: int, everyone: int) -> tuple[int, NDArray[np.float64]]:
    """The least possible number of marked members, and the probabilities of it and of each number above."""
    least, most = max(0, members + marked - everyone), min(members, marked)
    whole = _log_choose(everyone, members)
    logs = [_log_choose(marked, k) + _log_choose(everyone - marked, members - k) for k in range(least, most + 1)]
    return least, np.exp(np.array(logs) - whole)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_sum(logs: Sequence[float]) -> float:
    highest = max(logs)
    return highest + math.log(sum(math.exp(each - highest) for each in logs))
