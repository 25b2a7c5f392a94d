"""How often a classifier is right, and how sure that number is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.errors import DataError

_Z = 1.959963984540054  # 97.5 % of a standard normal lies below.


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of `correct` out of `n`, as fractions of 1; (0, 1) where nothing was counted."""
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n} cannot be")
    if n == 0:
        return 0.0, 1.0
    share = correct / n
    centre = share + _Z**2 / (2 * n)
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    # At the ends the exact bounds are 0 and 1; the arithmetic misses them by a rounding.
    low = 0.0 if correct == 0 else (centre - spread) / scale
    high = 1.0 if correct == n else (centre + spread) / scale
    return low, high


def top1(ids: ArrayLike, truth: ArrayLike) -> Accuracy:
    """The share of `ids` (the best class of each picture) that are `truth`, with its interval.

    Raises:
        DataError: no pictures, or not as many answers as pictures.
    """
    correct, n = _equal(ids, truth)
    low, high = wilson(correct, n)
    return Accuracy(n=n, top1=correct / n, low=low, high=high)


def agreement(first: ArrayLike, second: ArrayLike) -> float:
    """The share of pictures for which two classifiers have the same best class, 0 to 1.

    Raises:
        DataError: no pictures, or not the same number of answers.
    """
    same, n = _equal(first, second)
    return same / n


def _equal(first: ArrayLike, second: ArrayLike) -> tuple[int, int]:
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1:
        raise DataError(f"{a.shape} answers cannot be compared with {b.shape}.")
    if len(a) == 0:
        raise DataError("There are no labelled pictures to judge by.", "Give a folder with a subfolder for each class.")
    return int(np.count_nonzero(a == b)), len(a)
