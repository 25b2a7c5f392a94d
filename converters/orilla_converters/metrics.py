"""How far an artifact's probabilities are from Keras': the numbers, and what makes them useless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

from orilla_converters.stability import THRESHOLDS, Flips, Worst, flips, untied, worst_pictures
from orilla_runtime.bundle.manifest import Metrics
from orilla_runtime.labelled.scores import top1

Scores = NDArray[np.float32]
SMALLEST = 1e-30
SURE = 0.99
CLEAR_MARGIN = 1e-3
"""Keras' two best classes must differ by more than this for a picture to tell a float artifact's fault from a tie."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metrics` as the bundle records them. `clear_agreement` leaves out the pictures on which Keras itself is tied.

    `worst`: the pictures with the largest errors, worst first. `faults`: what makes the outputs useless. `cosine`: of
    the centred logits, the mean over the pictures. `untied`, `keras_untied`: the share of pictures without a tie among
    places 1 to 5. `flips`: what becomes of decisions at thresholds.
    """

    metrics: Metrics
    clear_agreement: float
    worst: tuple[Worst, ...]
    faults: tuple[str, ...]
    cosine: float
    untied: float
    keras_untied: float
    flips: tuple[Flips, ...]


def compare(
    keras: Scores,
    found: Scores,
    truth: NDArray[np.int64] | None,
    step: float = 0.0,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Comparison:
    """Compare float32 [n, classes] probabilities; `truth` are class ids [n] or None.

    step: of a quantized output: what is below half a step is nothing on either side. thresholds: of `Flips`.
    """
    finite = np.isfinite(found).all()
    faults = _faults(keras, found, step) if finite else ("its outputs are not finite (NaN or infinite)",)
    found = found if finite else np.nan_to_num(found, nan=0.0, posinf=1.0, neginf=0.0)
    theirs, ours = keras.argmax(axis=1), found.argmax(axis=1)
    clear = _margins(keras) > CLEAR_MARGIN
    same = theirs == ours
    errors = np.abs(keras.astype(np.float64) - found).max(axis=1)
    metrics = Metrics(
        n=len(keras),
        agreement=float(same.mean()),
        sqnr_db=sqnr(keras, found, max(SMALLEST, step / 2)),
        max_abs_error=_significant(float(errors.max())),
        accuracy=None if truth is None else top1(ours, truth),
        keras_accuracy=None if truth is None else top1(theirs, truth),
    )
    return Comparison(
        metrics,
        clear_agreement=float(same[clear].mean()) if clear.any() else 1.0,
        worst=worst_pictures(keras, found),
        faults=faults,
        cosine=cosine(keras, found, max(SMALLEST, step / 2)),
        untied=untied(found),
        keras_untied=untied(keras),
        flips=flips(keras, found, thresholds),
    )


def sqnr(keras: Scores, found: Scores, smallest: float = SMALLEST) -> float | None:
    """Signal to noise of the centred logits in dB, two decimals; None where there is no noise at all."""
    signal, other = _centred_logits(keras, smallest), _centred_logits(found, smallest)
    noise = float(((signal - other) ** 2).sum())
    if noise == 0.0:
        return None
    power = float((signal**2).sum())
    return round(10 * log10(power / noise), 2) if power > 0 else -999.0


def cosine(keras: Scores, found: Scores, smallest: float = SMALLEST) -> float:
    """Cosine of the centred logits, -1 to 1, the mean over the pictures; six decimals.

    A picture whose scores are all alike has no direction: it counts 1 where they are alike on both sides, else 0.
    """
    signal, other = _centred_logits(keras, smallest), _centred_logits(found, smallest)
    lengths = np.linalg.norm(signal, axis=1) * np.linalg.norm(other, axis=1)
    flat = np.abs(signal).max(axis=1) + np.abs(other).max(axis=1) == 0
    values = np.divide((signal * other).sum(axis=1), lengths, out=flat.astype(np.float64), where=lengths > 0)
    return round(float(values.mean()), 6)


def _centred_logits(probabilities: Scores, smallest: float) -> NDArray[np.float64]:
    """A softmax hides a constant that its logits share; centring takes it away on both sides."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), smallest))
    centred: NDArray[np.float64] = logits - logits.mean(axis=1, keepdims=True)
    return centred


def _faults(keras: Scores, found: Scores, step: float) -> tuple[str, ...]:
    faults = []
    if len(found) > 1 and (found == found[0]).all() and not (keras == keras[0]).all():
        faults.append("its output is constant")
    elif len(found) >= 10 and _share_of_first(found) > 0.9 and _share_of_first(keras) < 0.5:
        faults.append(f"it collapsed: one class for {_share_of_first(found) * 100:.0f} % of the pictures")
    elif len(found) >= 10:
        faults += _saturated(keras, found, step)
    if np.abs(found.sum(axis=1) - 1).max() > 0.01 + step / 2 * found.shape[1]:
        faults.append("its outputs do not sum to 1")
    return tuple(faults)


def _share_of_first(scores: Scores) -> float:
    """The share of the class that is the best most often."""
    return float(np.bincount(scores.argmax(axis=1)).max() / len(scores))


def _saturated(keras: Scores, found: Scores, step: float) -> list[str]:
    """Scores that stand at the end of what they can be, and best classes that share one: logits that were clipped.

    Between the two bounds of a score lie more than two units of its logit: a net that is a little surer than Keras
    does not cross them.
    """
    full = float((found.max(axis=1) >= 1 - max(1e-3, step)).mean())
    if full > 0.9 and float((keras.max(axis=1) >= SURE).mean()) < 0.5:
        return [f"it is saturated: a score of 1 on {full * 100:.0f} % of the pictures, where Keras is not sure"]
    tied = float((_margins(found) == 0).mean())
    if tied > 0.5 and float((_margins(keras) > CLEAR_MARGIN).mean()) > 0.9:
        return [f"it is saturated: the best classes have the same score on {tied * 100:.0f} % of the pictures"]
    return []


def _margins(scores: Scores) -> NDArray[np.float32]:
    """The best score less the second."""
    best_two = np.sort(scores, axis=1)[:, -2:]
    margins: NDArray[np.float32] = best_two[:, 1] - best_two[:, 0]
    return margins


def _significant(value: float) -> float:
    """Three significant digits."""
    return value if value == 0 else round(value, 2 - floor(log10(abs(value))))
