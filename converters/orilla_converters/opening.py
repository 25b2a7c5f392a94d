"""Opens any model: as a classifier of one picture where it is one, else as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla_converters.keras_files import load_keras
from orilla_converters.ports import NoClassifierError
from orilla_converters.raw.frozen import opened_graph
from orilla_converters.raw.layers import opened_layers
from orilla_converters.raw.source import RawSource
from orilla_converters.source import KerasSource, in_float32, open_source
from orilla_converters.traceable import traceable_saved_model, traceable_subclassed
from orilla_runtime.errors import ConversionError

TASKS = ("classification", "raw")


def open_any(parameters: Mapping[str, Any]) -> KerasSource | RawSource:
    """As `source.open_source`; `parameters["task"]` is one of `TASKS`, or None where the model decides.

    Raises:
        ConversionError, UsageError: as the functions that it calls.
    """
    task = parameters.get("task")
    if task == "raw":
        return open_raw(parameters)
    try:
        return open_source(parameters)
    except NoClassifierError as error:
        if task == "classification":
            raise ConversionError(error.message, error.remedy) from error
    return open_raw(parameters)


def open_raw(parameters: Mapping[str, Any]) -> RawSource:
    """Open a model of any inputs and outputs."""
    path = Path(parameters["model"])
    if path.is_dir():
        return opened_graph(traceable_saved_model(path), parameters, path)
    model = load_keras(path, trusted=bool(parameters.get("trusted")))
    if not getattr(model, "inputs", None):
        return opened_graph(traceable_subclassed(model, path), parameters, path)
    return opened_layers(in_float32(model, path), parameters, path)


def describe_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Job: open the model and say what it takes and gives.

    Raises:
        ConversionError: as `open_any`, or its weights are not finite: every artifact would be, each with another error.
    """
    import numpy as np

    source = open_any(parameters)
    for weight in source.model.weights:
        if not np.isfinite(np.asarray(weight)).all():
            raise ConversionError(
                f"{parameters['model']} has weights that are not finite, in {weight.path}.",
                "Its training diverged: train it again, with a smaller learning rate.",
            )
    if isinstance(source, RawSource):
        return {"task": "raw", "ports": source.ports.to_json()}
    return {
        "task": "classification",
        "shape": list(source.shape),
        "classes": source.classes,
        "head": source.head,
        "scale": source.normalization.scale,
        "offset": source.normalization.offset,
    }
