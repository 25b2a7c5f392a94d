"""From scores to a decision: thresholds and margins, votes over time, and the part of the picture that counts."""

from orilla_runtime.decisions.decider import Decider
from orilla_runtime.decisions.region import Region, RegionModel
from orilla_runtime.decisions.rules import UNKNOWN, Rules

__all__ = ["UNKNOWN", "Decider", "Region", "RegionModel", "Rules"]
