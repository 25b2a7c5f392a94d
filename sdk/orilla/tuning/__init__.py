"""Tuning: the search for the recipe that suits the pictures."""

from orilla.tuning.result import Candidate, TuneResult
from orilla.tuning.tune import tune

__all__ = ["Candidate", "TuneResult", "tune"]
