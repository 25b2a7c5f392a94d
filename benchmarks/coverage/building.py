"""Job: one architecture with sensible weights, as a file, with pictures and what Keras says of them.

The answers come from the model in memory, before it is saved: whatever the converters do to the file is judged by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage.pictures import draw
from benchmarks.coverage.registry import ARCHITECTURES
from benchmarks.coverage.sensible import make_sensible
from orilla_converters.tensor_file import write_tensors

WARMING, CALIBRATION, JUDGED = 32, 24, 24
OPEN_SIDE = 32
"""What stands for a side that a model leaves open."""


def build_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Build `parameters["name"]`; the value names its file, its calibration sample, its pictures and answers."""
    import keras

    keras.utils.set_random_seed(0)
    architecture = ARCHITECTURES[parameters["name"]]
    model = architecture.build()
    shapes = _shapes(model)
    make_sensible(model, [draw(WARMING, shape, seed).astype(np.float32) for seed, shape in enumerate(shapes.values())])
    judged: dict[str, Any] = {name: draw(JUDGED, shape, 100 + at) for at, (name, shape) in enumerate(shapes.items())}
    np.savez(folder / "pictures.npz", **judged)
    np.savez(folder / "answers.npz", **_answers(architecture.reference_of(model), list(judged.values())))
    samples = {}
    for at, (name, shape) in enumerate(shapes.items()):
        pictures = draw(CALIBRATION, shape, 200 + at)[:, np.newaxis]
        samples[name] = write_tensors(folder / f"{name}.u8", pictures, shape).to_json()
    path = folder / ("model.keras" if architecture.saved_as == "keras" else "model")
    if architecture.saved_as == "keras":
        model.save(path)
    else:
        model.export(path, format="tf_saved_model", verbose=False)
    return {
        "model": str(path),
        "pictures": str(folder / "pictures.npz"),
        "answers": str(folder / "answers.npz"),
        "samples": samples,
        "float_layers": [_first_with_weights(model)],
        "parameters": int(model.count_params()),
    }


def _first_with_weights(model: Any) -> str:
    """The layer that a mixed artifact leaves in float."""
    layers = model._flatten_layers(include_self=False)
    return str(next(layer.name for layer in layers if getattr(layer, "kernel", None) is not None))


def _shapes(model: Any) -> dict[str, tuple[int, int, int]]:
    """Each input's name and [height, width, depth]; a subclassed model has none until it is asked."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return {"image": (OPEN_SIDE, OPEN_SIDE, 3)}
    sides = {one.name: [side or OPEN_SIDE for side in one.shape[1:]] for one in inputs}
    return {name: (height, width, depth) for name, (height, width, depth) in sides.items()}


def _answers(model: Any, pictures: list[Any]) -> dict[str, Any]:
    """Each output by its name, float32 [n, …]."""
    floats = [one.astype(np.float32) for one in pictures]
    given = model(floats if len(floats) > 1 else floats[0], training=False)
    if not isinstance(given, Mapping):
        given = {"probabilities" if given.ndim == 2 else "mask": given}
    return {name: np.asarray(values, np.float32) for name, values in given.items()}
