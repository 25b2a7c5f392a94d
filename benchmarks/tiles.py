"""Magnetic tiles: six classes, 838 pictures of the largest and 28 of the smallest, and small defects.

`python -m benchmarks.tiles`: EfficientNet-Lite0 by transfer, balanced class weights, one held-out fifth, stratified;
then with pictures that look alike kept on one side of the split, since this set shows one part several times. Judged
in Keras and as int8.
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import orilla
from benchmarks.results import test_data, write
from orilla.data.checking.checks import check_data
from orilla.data.checking.grouped_table import write_groups
from orilla.data.opening import open_data
from orilla.evaluation.evaluate import evaluate
from orilla.evaluation.judgement import Judgement

ALIKE = 0.95
OPTIONS: dict[str, Any] = {"model": "efficientnet_lite0", "fit": "stretch", "class_weights": "balanced"}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiles = unpack(folder)
        grouped = folder / "grouped.csv"
        images = open_data(tiles)
        write_groups(grouped, images, check_data(images, alike=ALIKE).alike_groups)
        rows = [
            row
            for way, data in (("by class", tiles), ("by class and look-alikes", grouped))
            for row in judged(way, data, folder)
        ]
    write(
        "tiles", "Magnetic tiles, EfficientNet-Lite0 by transfer", {"options": OPTIONS, "look_alikes_at": ALIKE}, rows
    )


def unpack(folder: Path) -> Path:
    """The pictures, a folder a class; the masks are left out."""
    with zipfile.ZipFile(test_data() / "magnetic_tile.zip") as archive:
        for entry in archive.namelist():
            parts = Path(entry).parts
            if entry.endswith(".jpg") and "masks" not in parts:
                target = folder / "tiles" / parts[-2] / parts[-1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))
    return folder / "tiles"


def judged(split: str, data: Path, folder: Path) -> list[dict[str, Any]]:
    """Train on four fifths and judge the model and its int8 file on the fifth."""
    stem = folder / split.replace(" ", "-")
    started = time.monotonic()
    trained = orilla.train(data, output=stem.with_suffix(".keras"), **OPTIONS)
    minutes = (time.monotonic() - started) / 60
    bundle = orilla.convert(
        trained.path, data=data, output=stem.with_suffix(".orilla"), recipes=["tflite:int8"], max_drop=0.05
    )
    files = (("Keras", trained.path), ("int8 TFLite", bundle.path))
    return [row(split, name, evaluate(file, data, part="test").artifacts[0].judgement, minutes) for name, file in files]


def row(split: str, file: str, judgement: Judgement, minutes: float) -> dict[str, Any]:
    recalls = {one.label: round(one.recall.value, 3) for one in judgement.classes if one.recall}
    return {
        "split": split,
        "file": file,
        "n": judgement.accuracy.n,
        "macro_f1": round(judgement.macro_f1.value, 3),
        "macro_f1_low": round(judgement.macro_f1.low, 3),
        "macro_f1_high": round(judgement.macro_f1.high, 3),
        "balanced_accuracy": round(judgement.balanced_accuracy.value, 3),
        "top1": round(judgement.accuracy.top1, 3),
        "recalls": recalls,
        "minutes_of_training": round(minutes, 1),
    }


if __name__ == "__main__":
    main()
