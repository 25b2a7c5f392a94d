"""Retraining: new labelled pictures and the model that is there become the next model, if it is not worse."""

from orilla.retraining.retrain import retrain
from orilla.retraining.verdict import RetrainResult

__all__ = ["RetrainResult", "retrain"]
