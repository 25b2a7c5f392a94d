"""A judged model as one JSON object."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orilla_runtime.errors import OrillaError

if TYPE_CHECKING:
    from orilla.evaluation.evaluate import ArtifactEvaluation, Evaluation


def json_of(entry: ArtifactEvaluation, result: Evaluation, *, details: bool) -> dict[str, Any]:
    """The main figures; with `details` the whole judgement as well, with the areas under the curves of all classes.

    `ranking` holds these; it is None where scikit-learn is missing.
    """
    accuracy, judgement = entry.accuracy, entry.judgement
    calibration, proposed = judgement.calibration, judgement.thresholds.proposed
    found = {
        "artifact": entry.artifact,
        "format": entry.format,
        "precision": entry.precision,
        "n": accuracy.n,
        "top1": accuracy.top1,
        "top1_low": accuracy.low,
        "top1_high": accuracy.high,
        "agreement": entry.agreement,
        "failed": len(result.failed),
        "part": result.part,
        "balanced_accuracy": asdict(judgement.balanced_accuracy),
        "macro_f1": asdict(judgement.macro_f1),
        f"top{judgement.k}": None if judgement.top_k is None else asdict(judgement.top_k),
        "ece": calibration.ece,
        "nll": calibration.nll,
        "brier": calibration.brier,
        "threshold": None if proposed is None else asdict(proposed),
        "worse_slices": [sentence for one in judgement.slices for sentence in one.findings],
    }
    return {**found, **_details(entry)} if details else found


def _details(entry: ArtifactEvaluation) -> dict[str, Any]:
    from orilla.evaluation.ranking import rank

    judgement = entry.judgement
    try:
        ranking = rank(judgement.answers, judgement.labels).to_json()
    except OrillaError:  # a device has no scikit-learn
        ranking = None
    return {"judgement": judgement.to_json(), "ranking": ranking}
