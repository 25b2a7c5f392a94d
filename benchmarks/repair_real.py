"""`--repair` on a trained net of real size that int8 ruins: EfficientNet-Lite0, 100 photos calibrate, 200 judge.

`python -m benchmarks.repair_real` for all, or with the names of some: depthwise:tflite, depthwise:onnx, trunk:tflite,
trunk:onnx (the ruins are those of `ruined_lite0.py`).
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imagenet import unpack
from benchmarks.nets import LITE0, let_workers_find_benchmarks, write_net
from benchmarks.results import FOLDER, artifact_rows, write
from benchmarks.ruined_lite0 import RUINS
from orilla_converters.conversion import convert
from orilla_converters.keras_card import read_card
from orilla_converters.recipe import Recipe
from orilla_converters.worker import call
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

PHOTOS, CALIBRATION = 300, 100
CASES = tuple(f"{ruin}:{format_}" for ruin in RUINS for format_ in ("tflite", "onnx"))
POINTS, SMALLER = 1.0, 3.2


def chosen_photos(folder: Path, model: Path) -> tuple[Path, Path]:
    """A CSV of every class's share of the photos, and the tensors that `model` takes of them."""
    table = unpack(folder)
    with table.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    rows = [rows[place * len(rows) // PHOTOS] for place in range(PHOTOS)]
    with (folder / "chosen.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    card = read_card(model)
    assert card is not None
    function = Preprocessor(card.preprocess)
    np.save(folder / "photos.npy", np.concatenate([function(read_picture(folder / row[0])).copy() for row in rows]))
    return folder / "chosen.csv", folder / "photos.npy"


def rows_of(case: str, model: Path, folder: Path) -> list[dict[str, Any]]:
    """Ruin the net, convert it with `--repair`, and say what became of its int8 artifact."""
    ruin, format_ = case.split(":")
    photos, tensors = folder / "chosen.csv", folder / "photos.npy"
    path, output = folder / f"{ruin}.keras", folder / f"{ruin}-{format_}.orilla"
    let_workers_find_benchmarks()
    parameters = {"model": str(model), "photos": str(tensors), "path": str(path), "ruin": ruin}
    ruined = call("benchmarks.ruined_lite0:ruin_job", parameters, what=ruin)
    recipes = [Recipe(format_, precision) for precision in ("float32", "int8")]
    convert(
        path, data=photos, output=output, recipes=recipes, calibration=CALIBRATION, repair=True, jobs=2, timing=False
    )
    return [{"case": case, **ruined, **repaired_row(output, ruin)}]


def repaired_row(output: Path, ruin: str) -> dict[str, Any]:
    """What the bundle of float32 and the repaired int8 says, judged by the goals."""
    with open_bundle(output) as bundle:
        manifest = bundle.manifest
    assert isinstance(manifest, Manifest)
    pairs = list(zip(manifest.artifacts, artifact_rows(manifest), strict=True))
    exact = next(row for artifact, row in pairs if artifact.precision == "float32")
    artifact, row = next(pair for pair in pairs if pair[0].repairs)
    lost, smaller = (exact["top1"] - row["top1"]) * 100, exact["bytes"] / row["bytes"]
    reached = lost <= POINTS
    if ruin == "depthwise":
        reached = reached and artifact.precision == "int8" and smaller >= SMALLER
    return {
        **row,
        "precision": artifact.precision,
        "float32_top1": exact["top1"],
        "points_lost": round(lost, 2),
        "smaller": round(smaller, 2),
        "goal": "reached" if reached else "missed",
        "tried": " → ".join(artifact.repairs),
    }


def main(cases: list[str]) -> None:
    kept: list[dict[str, Any]] = []
    if cases:
        before = json.loads((FOLDER / "repair_real.json").read_text(encoding="utf-8"))["artifacts"]
        kept = [row for row in before if row["case"] not in cases]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "sound.keras"
        write_net(LITE0, model)
        chosen_photos(folder, model)
        rows = [row for case in cases or CASES for row in rows_of(case, model, folder)]
    write_rows([*kept, *rows])


def write_rows(rows: list[dict[str, Any]]) -> None:
    """Write the results."""
    goals = f"at most {POINTS:g} point below float32; depthwise as int8 and at least {SMALLER} times smaller"
    figures = {"calibrate": CALIBRATION, "judge": PHOTOS - CALIBRATION, "goals": goals}
    write("repair_real", "Repair of a trained net that int8 ruins, EfficientNet-Lite0", figures, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
