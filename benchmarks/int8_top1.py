"""What int8 makes of a trained net, on all pictures that training held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orilla
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.bundle.reader import open_bundle

RECIPES = ("tflite:int8", "onnx:int8")


@dataclass(frozen=True, slots=True)
class Int8:
    """By the artifact's format: its accuracy, and its size in bytes."""

    accuracy: Mapping[str, Accuracy]
    size: Mapping[str, int]


def int8_of(model: Path, data: Path) -> Int8:
    """Convert `model`, calibrated on pictures of training, and judge the files on the test part of `data`."""
    output = model.with_suffix(".orilla")
    # Nothing is refused here: what is lost is the figure.
    orilla.convert(model, data=data, output=output, recipes=RECIPES, max_drop=1.0, timing=False, jobs=len(RECIPES))
    judged = orilla.evaluate(output, data)
    assert judged.part == "test", judged.note
    assert not judged.skipped
    with open_bundle(output) as bundle:
        sizes = {entry.path: entry.bytes for entry in bundle.manifest.files}
    return Int8(
        {each.format: each.accuracy for each in judged.artifacts},
        {each.format: sizes[each.artifact] for each in judged.artifacts},
    )
