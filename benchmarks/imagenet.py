"""Trained nets on 500 ImageNet photos: 100 calibrate, the other 400 judge, centre crop of 0.875.

`python -m benchmarks.imagenet` for all, or with the names of some: efficientnet_lite0, mobilenet_v1_0.25.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nets import LITE0, MOBILENET, write_net
from benchmarks.results import FOLDER, artifact_rows, test_data, write
from orilla_converters.conversion import convert
from orilla_converters.recipe import FORMATS, Recipe
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture


@dataclass(frozen=True, slots=True)
class Goals:
    """What int8 must reach: points lost at most, agreement, SQNR in dB, times smaller than float32, photos without ties
    among places 1 to 5. None where there is no goal."""

    points: float
    agreement: float
    sqnr_db: float | None = None
    smaller: float | None = None
    untied: float | None = None


GOALS = {LITE0: Goals(1, 0.95, 18, 3.5, 0.95), MOBILENET: Goals(2, 0.85)}
PRECISIONS = ("float32", "int8")


def unpack(folder: Path) -> Path:
    """Unpack the photos and write the CSV that Orilla reads: path and class id."""
    with zipfile.ZipFile(test_data() / "imagenet_samples_256.zip") as archive:
        archive.extractall(folder)
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["index"]) for row in csv.DictReader(file)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class_id"), *rows])
    return folder / "photos.csv"


def untied(bundle_path: Path, name: str, photos: Path) -> float:
    """The share of 200 photos on which an artifact's places 1 to 5 have five different scores."""
    with open_bundle(bundle_path) as bundle:
        artifact = bundle.artifact(name)
        assert isinstance(bundle.manifest, Manifest)
        data, function = bundle.read(artifact.path), Preprocessor(bundle.manifest.preprocess)
    session = engine_for(artifact.format).load(data, EngineOptions())
    files = sorted((photos.parent / "images").iterdir())[::2][:200]
    best = [np.sort(session.run(function(read_picture(file)))[0].reshape(-1))[-5:] for file in files]
    session.close()
    return float(np.mean([len(set(scores.tolist())) == len(scores) for scores in best]))


def rows_of(net: str, photos: Path, folder: Path) -> list[dict[str, Any]]:
    """Convert a net, and judge its int8 artifacts by the goals."""
    model, output = folder / f"{net}.keras", folder / f"{net}.orilla"
    write_net(net, model)
    start = time.monotonic()
    recipes = [Recipe(format_, precision) for format_ in FORMATS for precision in PRECISIONS]
    convert(model, data=photos, output=output, recipes=recipes, jobs=2, max_drop=GOALS[net].points / 100, timing=False)
    minutes = round((time.monotonic() - start) / 60, 2)
    with open_bundle(output) as bundle:
        manifest = bundle.manifest
    assert isinstance(manifest, Manifest)
    rows = artifact_rows(manifest)
    exact = {row["artifact"].rpartition(".")[2]: row for row in rows if "float32" in row["artifact"]}
    for row in rows:
        form = row["artifact"].rpartition(".")[2]
        row["smaller"] = round(exact[form]["bytes"] / row["bytes"], 2)
        row["points_lost"] = round((exact[form]["top1"] - row["top1"]) * 100, 2)
        row["untied"], row["goals"] = None, ""
        if "int8" in row["artifact"]:
            row["untied"] = round(untied(output, f"{form}:int8", photos), 3)
            row["goals"] = missed(row, GOALS[net]) or "reached"
    return [{"net": net, **row, "minutes": minutes} for row in rows]


def missed(row: dict[str, Any], goals: Goals) -> str:
    """Which goals a row misses, in words; empty where it reaches all."""
    floors = {
        "agreement": goals.agreement,
        "sqnr_db": goals.sqnr_db,
        "smaller": goals.smaller,
        "untied": goals.untied,
    }
    short = [f"{name} below {floor}" for name, floor in floors.items() if floor is not None and row[name] < floor]
    return ", ".join(short + ([f"loses more than {goals.points}"] if row["points_lost"] > goals.points else []))


def main(nets: list[str]) -> None:
    kept: list[dict[str, Any]] = []
    if nets:
        before = json.loads((FOLDER / "imagenet.json").read_text(encoding="utf-8"))["artifacts"]
        kept = [row for row in before if row.get("net") not in (None, *nets)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = unpack(folder)
        rows = [row for net in nets or GOALS for row in rows_of(net, photos, folder)]
    figures = {"goals_of_int8": {net: str(goals) for net, goals in GOALS.items()}}
    write("imagenet", "Trained nets on 400 ImageNet photos", figures, [*kept, *rows])


if __name__ == "__main__":
    main(sys.argv[1:])
