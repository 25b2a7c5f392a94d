"""One trial as it stands in a study, without a word of Optuna."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orilla.tuning.space import Value

State = Literal["waiting", "running", "done", "pruned", "failed", "lost"]
COUNTED = frozenset({"waiting", "running", "done", "pruned", "failed"})
"""A lost trial is tried again under another number, so it does not count."""

MAX_DEATHS = 3
"""So many workers may die of one trial; then it is its fault, as of one that needs more memory than there is."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial: what was tried, and how good it was.

    default: the model's own recipe. model, values: what was drawn, by the names of `train`; empty while it waits.
    accuracy, loss: validation of its best epoch; None without one. epochs: how many were trained. reason: of a failure.
    worker: who runs or ran it. deaths: workers that died of it before.
    """

    number: int
    state: State
    default: bool
    model: str
    values: Mapping[str, Value]
    accuracy: float | None = None
    loss: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    worker: str = ""
    deaths: int = 0

    @property
    def score(self) -> float:
        """What the search raises; -inf without an epoch."""
        return score(self.accuracy, self.loss) if self.accuracy is not None and self.loss is not None else float("-inf")


def score(accuracy: float, loss: float) -> float:
    """Accuracy, and among equal ones the smaller loss: its share is too small to outweigh one picture of 500,000."""
    return accuracy + 1e-6 / (1 + loss)


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """The best of those that ran to their end; of equal ones the first."""
    done = [trial for trial in trials if trial.state == "done"]
    return max(done, key=lambda trial: (trial.score, -trial.number), default=None)


def default_of(trials: Iterable[Trial]) -> Trial | None:
    """The trial of the model's own recipe, if it ran to its end."""
    return next((trial for trial in trials if trial.default and trial.state == "done"), None)


def counted(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that count, by number."""
    return sorted((trial for trial in trials if trial.state in COUNTED), key=lambda trial: trial.number)


def place_of(number: int, trials: Sequence[Trial]) -> int:
    """How many trials that count stand before this one."""
    return sum(trial.number < number for trial in counted(trials))


def finished(trials: Iterable[Trial]) -> list[Trial]:
    """Those that are over and count."""
    return [trial for trial in counted(trials) if trial.state not in {"waiting", "running"}]
