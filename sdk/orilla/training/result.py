"""What a training gives back, and what it writes into the model's card."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orilla.data.split import Split
from orilla.evaluation.temperature import Temperature
from orilla.models.entry import IMAGENET, RANDOM
from orilla.training.plan import Plan
from orilla.training.progress import EpochEnd
from orilla_converters.keras_card import KerasCard
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.labelled.images import file_digest

_PACKAGES = ("orilla", "tensorflow", "keras", "numpy", "opencv-python-headless", "opencv-python")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a training starts from, as it is written down: of a file its own name and sha256, not where it lies.

    weights: `imagenet`, `random`, or a file of pretrained weights. start: the model that training goes on from, if any.
    """

    weights: str | dict[str, str]
    start: dict[str, str] | None


def origin_of(plan: Plan) -> Origin:
    """Reads the files once.

    Raises:
        DataError: one cannot be read.
    """
    named = plan.weights in {IMAGENET, RANDOM}
    return Origin(plan.weights if named else _file(plan.weights), _file(plan.start) if plan.start else None)


def _file(path: str) -> dict[str, str]:
    return {"file": Path(path).name, "sha256": file_digest(Path(path))}


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A trained model: `path` is the `.keras` file and `card` what stands in it.

    history: every epoch of every phase, in its order. best: the epoch whose weights were kept, by validation.
    test: top-1 on the pictures that neither training nor the choice of the best epoch has seen. seconds: of it all.
    notes: what the user should know.
    """

    path: Path
    card: KerasCard
    history: tuple[EpochEnd, ...]
    best: EpochEnd
    test: Accuracy
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The result in half a line."""
        return (
            f"{self.test.top1:.1%} of {self.test.n} held-out pictures right "
            f"({self.test.low:.1%} to {self.test.high:.1%}), "
            f"best epoch {self.best.epoch} of {self.best.epochs} ({self.best.phase}), {self.seconds:.0f} s"
        )


def training_record(
    *,
    plan: Plan,
    origin: Origin,
    data_digest: str,
    split: Split,
    history: Sequence[EpochEnd],
    best: EpochEnd,
    test: Accuracy,
    temperature: Temperature,
) -> dict[str, Any]:
    """Enough to repeat the training, as plain JSON. Nothing in it depends on the clock."""
    return {
        **recipe_record(plan, origin, data_digest),
        "split": {name: list(part) for name, part in asdict(split).items()},
        "split_digest": split.digest(),
        "history": [_without_seconds(epoch) for epoch in history],
        "best": _without_seconds(best),
        "test": asdict(test),
        "temperature": asdict(temperature),
    }


def recipe_record(plan: Plan, origin: Origin, data_digest: str) -> dict[str, Any]:
    """What a training was told, before it began."""
    return {
        "data_digest": data_digest,
        "seed": plan.seed,
        "model": plan.model,
        **asdict(origin),
        "shares": {"validation": plan.validation, "test": plan.test},
        "split_from": Path(plan.split).name,
        "group": plan.group,
        "recipe": asdict(plan.recipe),
        "versions": versions(),
    }


def _without_seconds(epoch: EpochEnd) -> dict[str, Any]:
    return {name: value for name, value in asdict(epoch).items() if name != "seconds"}


def versions() -> dict[str, str]:
    """Of everything that may change the last bits of the weights."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    # oneDNN changes the last bits of every sum.
    found["onednn"] = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default")
    return found
