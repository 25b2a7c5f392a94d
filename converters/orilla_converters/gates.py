"""What an artifact must pass before it goes into a bundle, and in words by how much it fails."""

from __future__ import annotations

from orilla_converters.metrics import Comparison
from orilla_runtime.bundle.manifest import Accuracy, Gate

DEFAULT_MAX_DROP = 0.01
_LABELLED = {
    "float32": (0.995, 60.0),
    "float16": (0.98, 25.0),
    "16x8": (0.93, 15.0),
    "dynamic": (0.90, 10.0),
    # A small net that is unsure changes its mind without losing: a right int8 of MobileNetV1 0.25 agrees on 86 %. With
    # labels, what is lost counts.
    "mixed": (0.85, 10.0),
    "int8": (0.85, 10.0),
}
_UNLABELLED = _LABELLED | dict.fromkeys(("int8", "mixed", "dynamic"), (0.93, 10.0))


def gate_for(precision: str, *, labelled: bool, max_drop: float = DEFAULT_MAX_DROP) -> Gate:
    """The gate of a precision. Without labels agreement is all there is, so int8 must agree more."""
    agreement, sqnr = (_LABELLED if labelled else _UNLABELLED)[precision]
    return Gate(min_agreement=agreement, min_sqnr_db=sqnr, max_drop=max_drop)


def shortcomings(comparison: Comparison, gate: Gate, precision: str) -> tuple[str, ...]:
    """Why the artifact fails, each with the number and the limit; empty where it passes."""
    metrics = comparison.metrics
    found = list(comparison.faults)
    if metrics.accuracy and metrics.keras_accuracy:
        found += _drop(metrics.accuracy, metrics.keras_accuracy, gate.max_drop)
    # A float artifact rounds otherwise than Keras, and a tie may fall to the other side; int8 gets no such excuse.
    agreement = comparison.clear_agreement if precision == "float32" else metrics.agreement
    if agreement < gate.min_agreement:
        found.append(f"agreement {_percent(agreement)}, at least {_percent(gate.min_agreement)} is wanted")
    if metrics.sqnr_db is not None and metrics.sqnr_db < gate.min_sqnr_db:
        found.append(f"SQNR {metrics.sqnr_db:.1f} dB, at least {gate.min_sqnr_db:g} is wanted")
    return tuple(found)


def _drop(accuracy: Accuracy, keras: Accuracy, most: float) -> list[str]:
    lost = round(keras.top1 * keras.n) - round(accuracy.top1 * accuracy.n)
    if lost <= most * accuracy.n + 1e-9:
        return []
    return [
        f"top-1 {_percent(accuracy.top1)} is {lost / accuracy.n * 100:.1f} points below Keras ({lost} of {accuracy.n} "
        f"pictures), {most * 100:g} allowed"
    ]


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.1f} %"
