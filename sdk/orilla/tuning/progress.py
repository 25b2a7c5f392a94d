"""What a search says while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orilla.training.progress import EpochEnd, Note
from orilla.tuning.records import Trial
from orilla.tuning.space import Value

__all__ = ["Began", "Ended", "Epoch", "Event", "Note", "Opened", "Progress", "Waiting", "silent"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The study is there; `finished` of its `total` trials are over already, `best` is the best of them."""

    folder: str
    finished: int
    total: int
    best: Trial | None


@dataclass(frozen=True, slots=True)
class Began:
    """This worker begins a trial."""

    number: int
    model: str
    values: Mapping[str, Value]
    default: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of this worker's trial has ended."""

    number: int
    end: EpochEnd


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial is over, this worker's or another's; `finished` of `total` are now, `best` is the best so far."""

    trial: Trial
    best: Trial | None
    finished: int
    total: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is left to begin; other workers still run so many trials."""

    running: int


Event = Opened | Began | Epoch | Ended | Waiting | Note

Progress = Callable[[Event], None]
"""Takes events as they happen; called from the thread that trains."""


def silent(_event: Event) -> None:
    """The progress that nobody looks at."""
