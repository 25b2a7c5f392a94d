"""Whether a class's scores put its pictures in front of others: ROC and precision-recall curves, by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.evaluation.judgement import Answers
from orilla_runtime.errors import OrillaError

POINTS = 200
"""Of a drawn curve at most."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, each axis 0 to 1."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ClassRanking:
    """One class against all others. roc: true over false positives; pr: precision over recall."""

    class_id: int
    label: str
    roc_auc: float
    average_precision: float
    roc: Curve
    pr: Curve


@dataclass(frozen=True, slots=True)
class Ranking:
    """All classes that have pictures, while there are others too.

    Macro: the mean over classes. Micro: all pairs of picture and class as one set, None where no class is ranked.
    """

    classes: tuple[ClassRanking, ...]
    macro_roc_auc: float | None
    macro_average_precision: float | None
    micro_roc_auc: float | None
    micro_average_precision: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures without the points of the curves, as plain JSON."""
        found = asdict(self)
        for one in found["classes"]:
            del one["roc"], one["pr"]
        found["classes"] = list(found["classes"])
        return found


def rank(answers: Answers, labels: Sequence[str]) -> Ranking:
    """Areas and curves of every class.

    Raises:
        OrillaError: scikit-learn is not installed.
    """
    metrics = _metrics()
    classes = []
    for place in np.unique(answers.truth).tolist():
        truth = answers.truth == place
        if not truth.all():
            classes.append(_ranked(metrics, place, labels[place], truth, answers.scores[:, place]))
    micro_roc, micro_ap = _micro(metrics, answers) if classes else (None, None)
    return Ranking(
        classes=tuple(classes),
        macro_roc_auc=float(np.mean([one.roc_auc for one in classes])) if classes else None,
        macro_average_precision=float(np.mean([one.average_precision for one in classes])) if classes else None,
        micro_roc_auc=micro_roc,
        micro_average_precision=micro_ap,
    )


def _metrics() -> Any:
    try:
        from sklearn import metrics
    except ImportError as error:
        raise OrillaError(
            f"ROC and precision-recall curves need scikit-learn: {error}.", "Install it: pip install 'orilla[desk]'"
        ) from error
    return metrics


def _ranked(metrics: Any, place: int, label: str, truth: NDArray[np.bool_], score: NDArray[np.float32]) -> ClassRanking:
    false_rate, true_rate, _ = metrics.roc_curve(truth, score)
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    # Lower thresholds find nothing more, and only lose precision.
    complete = int(np.argmax(recall[::-1] >= 1)) + 1
    return ClassRanking(
        class_id=place,
        label=label,
        roc_auc=float(metrics.auc(false_rate, true_rate)),
        average_precision=float(-(np.diff(recall) * precision[:-1]).sum()),  # as average_precision_score sums it
        roc=_thinned(false_rate, true_rate),
        pr=_thinned(recall[::-1][:complete], precision[::-1][:complete]),
    )


def _micro(metrics: Any, answers: Answers) -> tuple[float, float]:
    hits = np.arange(answers.scores.shape[1]) == answers.truth[:, None]
    flat, scores = hits.ravel(), answers.scores.ravel()
    return float(metrics.roc_auc_score(flat, scores)), float(metrics.average_precision_score(flat, scores))


def _thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> Curve:
    """Points spread evenly along the line that is drawn, both ends among them."""
    if len(x) > POINTS:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        places = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(0, len(x) - 1))
        places = np.unique(np.concatenate([[0], places, [len(x) - 1]]))
        x, y = x[places], y[places]
    return Curve(tuple(x.astype(float).tolist()), tuple(y.astype(float).tolist()))
