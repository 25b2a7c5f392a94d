"""Orilla: from a folder of pictures to a verified vision model on a phone, a board or a factory PC.

    model = orilla.train("photos/", output="parts.keras")                         # desk
    bundle = orilla.convert("parts.keras", data="photos/", output="parts.orilla")  # desk
    classifier = orilla.load("parts.orilla")                                      # device: one call, one frame
    for frame, result in orilla.run("parts.orilla", source=0):                    # device: a camera, until stopped
        ...

Nothing heavy is imported before the function that needs it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from orilla_runtime.errors import OrillaError

if TYPE_CHECKING:
    __version__: str
    from orilla.converting import convert
    from orilla.evaluation.evaluate import evaluate
    from orilla.retraining import retrain
    from orilla.training import train
    from orilla.tuning import tune
    from orilla_runtime.decisions import Region, Rules
    from orilla_runtime.model import load
    from orilla_runtime.pipeline import Pipeline, run
    from orilla_runtime.predictor import Predictor

__all__ = [
    "OrillaError",
    "Pipeline",
    "Predictor",
    "Region",
    "Rules",
    "convert",
    "evaluate",
    "load",
    "retrain",
    "run",
    "train",
    "tune",
]

_HOMES = {
    "train": "orilla.training",
    "tune": "orilla.tuning",
    "retrain": "orilla.retraining",
    "convert": "orilla.converting",
    "evaluate": "orilla.evaluation.evaluate",
    "load": "orilla_runtime.model",
    "run": "orilla_runtime.pipeline",
    "Pipeline": "orilla_runtime.pipeline",
    "Predictor": "orilla_runtime.predictor",
    "Region": "orilla_runtime.decisions",
    "Rules": "orilla_runtime.decisions",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Reading what is installed takes longer than everything else here.
        from importlib.metadata import version

        return version("orilla")
    if name not in _HOMES:
        raise AttributeError(f"module 'orilla' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
