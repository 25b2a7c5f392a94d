"""What a threshold costs: how much is accepted, how much of that is wrong, how much of what is right is rejected.

A picture is accepted where its best class reaches the threshold, as `orilla run --threshold` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.intervals import Estimate, share

SHOWN = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_STEPS = 10_000
"""A threshold has four decimals: what is proposed can be typed."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """One threshold. `coverage`: the share of pictures that is accepted.

    false_rejects: of the pictures that are right (with an OK class: of the good parts), the share that is rejected.
    errors: of the accepted pictures, the share that is wrong; None where none is accepted. missed: with an OK class, of
    the defects, the share that is taken for OK; None without an OK class or without a defect.
    """

    threshold: float
    accepted: int
    coverage: float
    false_rejects: Estimate | None
    errors: Estimate | None
    missed: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A proposed threshold, why, and what others would do.

    ok_class: None: all classes are judged alike; else the class of good parts, and only its pictures are accepted.
    proposed: None where no threshold keeps what was wanted; `wanted` says in words what that was. table: thresholds
    upwards, the proposed one among them.
    """

    wanted: str
    ok_class: str | None
    proposed: Tradeoff | None
    table: tuple[Tradeoff, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Best scores of the pictures that may be accepted and -1 of the others; what counts as right, and as a defect."""

    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    ok: bool

    def at(self, threshold: float) -> Tradeoff:
        accepted = self.score >= threshold
        n, errors = int(accepted.sum()), int((accepted & self.wrong).sum())
        rejected, right, wrong = int((~accepted & self.right).sum()), int(self.right.sum()), int(self.wrong.sum())
        return Tradeoff(
            threshold=threshold,
            accepted=n,
            coverage=n / len(accepted),
            false_rejects=share(rejected, right) if right else None,
            errors=share(errors, n) if n else None,
            missed=share(errors, wrong) if self.ok and wrong else None,
        )


def propose(
    scores: NDArray[Any],
    truth: NDArray[np.integer],
    *,
    false_reject_rate: float,
    precision: float | None = None,
    ok: tuple[int, str] | None = None,
    shown: Sequence[float] = SHOWN,
) -> Thresholds:
    """The threshold for a wanted rate of false rejects, or for a wanted share of right answers, 0 to 1.

    The largest threshold that gives back at most `false_reject_rate` of what is right: it rejects the most mistakes at
    that price. With `precision`, the smallest one from which on so many of the accepted pictures are right. `ok`: the
    number and the name of the class of good parts; then a mistake is a defect that is taken for one. `shown`: the
    table's other thresholds.
    """
    scored = _scored(scores, truth, None if ok is None else ok[0])
    name = None if ok is None else ok[1]
    if precision is None:
        wanted = (
            f"at most {false_reject_rate * 100:.4g} % of {'the good parts' if ok else 'the right answers'} rejected"
        )
        found = _for_false_rejects(scored, false_reject_rate)
    else:
        wanted = f"at least {precision * 100:.4g} % of the accepted pictures right"
        found = _for_precision(scored, precision)
    thresholds = sorted({*shown, *([] if found is None else [found])})
    proposed = None if found is None else scored.at(found)
    return Thresholds(wanted, name, proposed, tuple(scored.at(threshold) for threshold in thresholds))


def _scored(scores: NDArray[Any], truth: NDArray[np.integer], ok: int | None) -> _Scored:
    best, predicted = scores.max(axis=1).astype(np.float64), scores.argmax(axis=1)
    if ok is None:
        return _Scored(best, predicted == truth, predicted != truth, False)
    return _Scored(np.where(predicted == ok, best, -1.0), truth == ok, truth != ok, True)


def _for_false_rejects(scored: _Scored, rate: float) -> float | None:
    right = int(scored.right.sum())
    if not right:
        return None
    rejected = right - _reaching(scored.score[scored.right])
    kept = np.flatnonzero(rejected <= rate * right + _ROUNDING)
    return int(kept[-1]) / _STEPS if len(kept) else None


def _for_precision(scored: _Scored, precision: float) -> float | None:
    accepted, errors = _reaching(scored.score), _reaching(scored.score[scored.wrong])
    kept = np.flatnonzero((accepted > 0) & (errors <= (1 - precision) * accepted + _ROUNDING))
    return int(kept[0]) / _STEPS if len(kept) else None


def _reaching(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many reach each threshold of four decimals, 0 to 1."""
    grid = np.arange(_STEPS + 1) / _STEPS
    return len(score) - np.searchsorted(np.sort(score), grid, side="left")
