"""When a class is good enough to be acted on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from orilla_runtime.errors import UsageError
from orilla_runtime.records import dataclass, field
from orilla_runtime.tasks.classification import Decision, Prediction

UNKNOWN = "unknown"
"""The label of a decision for no class."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the best class must reach; otherwise the decision is `unknown`.

    threshold: the least score, 0 to 1. thresholds: for labels that need another one. margin: the least lead over the
    second class, 0 to 1.

    Raises:
        UsageError: a number outside of 0 to 1.
    """

    threshold: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    margin: float = 0.0

    def __post_init__(self) -> None:
        named = {f"threshold of {label}": value for label, value in self.thresholds.items()}
        for name, value in {"threshold": self.threshold, "margin": self.margin, **named}.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise UsageError(f"The {name} is {value!r}, not a number from 0 to 1.")

    def require_labels(self, labels: Iterable[str]) -> None:
        """Check that every label with a threshold is one of the model's. Raises UsageError."""
        known = set(labels)
        for label in self.thresholds:
            if label not in known:
                near = get_close_matches(label, known, 1)
                remedy = f"Did you mean {near[0]!r}?" if near else "`orilla info` lists the model's labels."
                raise UsageError(f"A threshold is given for {label!r}, which is no label of the model.", remedy)

    def decide(self, predictions: Sequence[Prediction]) -> Decision:
        """The decision for one picture's classes, best first, at least one."""
        best = predictions[0]
        # Of a result that holds one class alone, the second is not known: it cannot be more than what is left.
        second = (
            predictions[1] if len(predictions) > 1 else Prediction("the second", -1, min(best.score, 1 - best.score))
        )
        least = self.thresholds.get(best.label, self.threshold)
        reason = ""
        if best.score < least:
            reason = f"{best.label} has {best.score:.2f}, below its threshold of {least:g}"
        elif best.score - second.score < self.margin:
            lead = best.score - second.score
            reason = f"{best.label} leads {second.label} by {lead:.2f}, less than {self.margin:g}"
        if reason:
            return Decision(UNKNOWN, None, best.score, reason)
        return Decision(best.label, best.class_id, best.score)
