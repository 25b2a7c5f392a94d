"""How far an output is from Keras': measured a sample at a time, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, log10, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.raw_manifest import OutputMetrics


@dataclass(frozen=True, slots=True)
class Expected:
    """Keras' values of one output: their mean, their largest less their smallest, and whether all samples are equal."""

    mean: float
    span: float
    constant: bool


def expected(rows: Iterable[NDArray[np.float32]]) -> Expected:
    """What there is to know of Keras' values before they are compared."""
    low, high, total, count, constant = np.inf, -np.inf, 0.0, 0, True
    first: NDArray[Any] | None = None
    for row in rows:
        first = row.copy() if first is None else first
        low, high = min(low, float(row.min())), max(high, float(row.max()))
        total, count = total + float(row.sum(dtype=np.float64)), count + row.size
        constant = constant and np.array_equal(row, first)
    return Expected(total / count, high - low, constant)


@dataclass(slots=True)
class OutputMeasure:
    """Takes an output's rows, Keras' beside the artifact's."""

    name: str
    theirs: Expected
    worst: int = 0
    finite: bool = True
    constant: bool = True
    _first: NDArray[Any] | None = None
    _error: float = -1.0
    _places: int = 0
    _sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(5))

    def add(self, keras: NDArray[np.float32], found: NDArray[np.float32]) -> None:
        """One sample, float32 of one size."""
        keras, found = keras.reshape(-1), found.reshape(-1)
        self.finite = self.finite and bool(np.isfinite(found).all())
        self._first = found.copy() if self._first is None else self._first
        self.constant = self.constant and np.array_equal(found, self._first, equal_nan=True)
        ours = np.nan_to_num(found.astype(np.float64))
        noise = ours - keras
        centred, other = keras - np.float64(self.theirs.mean), ours - self.theirs.mean
        signal = np.square(keras, dtype=np.float64).sum()
        products = (centred @ other, centred @ centred, other @ other)
        self._sums += (signal, noise @ noise, *products)
        error = float(np.abs(noise).max(initial=0.0))
        if error > self._error:
            self._error, self.worst = error, self._places
        self._places += 1

    def metrics(self) -> OutputMetrics:
        """The figures, rounded to what they mean."""
        return OutputMetrics(
            name=self.name,
            sqnr_db=self._sqnr(),
            cosine=self._cosine(),
            max_abs_error=_significant(max(0.0, self._error)),
            span=_significant(self.theirs.span),
        )

    def faults(self) -> tuple[str, ...]:
        """What makes the output useless."""
        if not self.finite:
            return (f"the output {self.name!r} is not finite (NaN or infinite)",)
        if self.constant and not self.theirs.constant:
            return (f"the output {self.name!r} is constant",)
        return ()

    def _sqnr(self) -> float | None:
        signal, noise = self._sums[:2]
        if noise == 0.0:
            return None
        return round(10 * log10(signal / noise), 2) if signal > 0 else -999.0

    def _cosine(self) -> float:
        """Of the values less Keras' mean; where Keras gives one value alone there is no direction to compare."""
        _, noise, product, theirs, ours = self._sums
        if noise == 0.0 or theirs == 0.0:
            return 1.0
        if ours == 0.0:
            return 0.0
        return round(max(-1.0, min(1.0, float(product / sqrt(theirs * ours)))), 6)


def _significant(value: float) -> float:
    """Four significant digits."""
    return value if value == 0 else round(value, 3 - floor(log10(abs(value))))
