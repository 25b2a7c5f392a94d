"""The step of a run that turns scores into decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orilla_runtime.decisions.rules import Rules
from orilla_runtime.decisions.smoothing import Smoothing
from orilla_runtime.errors import UsageError
from orilla_runtime.sinks.base import Record
from orilla_runtime.tasks.classification import Classification


class Decider:
    """Adds `decision` to each classification; give it to a run as one of its `transforms`. Not thread-safe.

    Args:
        rules: what a class must reach.
        labels: the model's; a threshold for any other label is refused.
        smoothing: frames of a video or camera over which scores are averaged before the rules are asked; 1 is none.
            The predictions of a record stay those of its frame.

    Raises:
        UsageError: a label that the model does not have, no labels at all, or an impossible number.
    """

    def __init__(self, rules: Rules, labels: Iterable[str], smoothing: int = 1) -> None:
        labels = tuple(labels)
        if not labels:
            raise UsageError("Only a classifier's results can be decided on.", "Leave out thresholds and smoothing.")
        rules.require_labels(labels)
        self._rules = rules
        self._smoothing = Smoothing(smoothing)

    def __call__(self, record: Record) -> Record:
        """The record with its decision; failures and other results pass as they are."""
        result = record.result
        if record.frame is None or not isinstance(result, Classification):
            return record
        decision = self._rules.decide(self._smoothing(record.frame, result.predictions))
        return replace(record, result=replace(result, decision=decision))
