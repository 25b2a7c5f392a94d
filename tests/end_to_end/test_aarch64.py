"""A bundle made here runs on an emulated aarch64 board, in the environments of the locks, with the same answers.

Minutes long. `ORILLA_BOARD` names a folder in which the board is kept between runs.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tools.aarch64_board import make_board, missing

import orilla

pytestmark = pytest.mark.slow

PHOTOS = 100
ENGINES = [("litert", "litert", "tflite"), ("onnx", "onnxruntime", "onnx")]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a board; its `litert/orilla` and `onnx/orilla` are the command there."""
    reason = missing()
    if reason:
        pytest.skip(f"no emulated board can be made here: {reason}")
    folder = Path(os.environ.get("ORILLA_BOARD") or tmp_path_factory.mktemp("board")).resolve()
    make_board(folder)
    return folder


@pytest.fixture(scope="module")
def photos(unzipped: Callable[[str], Path]) -> list[Path]:
    folder = unzipped("imagenet_samples_256.zip")
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["index"]) for row in csv.DictReader(file)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class_id"), *rows])
    return [folder / name for name, _ in rows[:: len(rows) // PHOTOS][:PHOTOS]]


@pytest.fixture(scope="module")
def bundle(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 in int8 for both engines, converted and proved on this machine."""
    path = tmp_path_factory.mktemp("lite0") / "lite0.orilla"
    data = photos[0].parents[1] / "photos.csv"
    orilla.convert("efficientnet_lite0", data=data, output=path, precisions=("int8",), formats=("tflite", "onnx"))
    return path


def on_the_board(board: Path, extra: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(board / extra / "orilla"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)


@pytest.mark.parametrize(("extra", "engine", "format_"), ENGINES, ids=["litert", "onnx"])
def test_the_bundle_verifies(board: Path, bundle: Path, extra: str, engine: str, format_: str) -> None:
    assert on_the_board(board, extra, "--version").stdout.startswith("orilla ")
    done = on_the_board(board, extra, "info", bundle, "--verify", "--json")
    assert done.returncode == 0, done.stderr
    verified = json.loads(done.stdout)["verify"]
    assert verified["passed"]
    assert f"artifacts/int8.{format_}" in {check["subject"] for check in verified["checks"]}


@pytest.mark.parametrize(("extra", "engine", "format_"), ENGINES, ids=["litert", "onnx"])
def test_the_same_labels(
    board: Path, bundle: Path, photos: list[Path], tmp_path: Path, extra: str, engine: str, format_: str
) -> None:
    here = []
    with orilla.load(bundle, engine=engine, artifact=f"{format_}:int8") as model:
        here = [result.top.class_id for _, result in orilla.run(model, photos)]
    lines = tmp_path / "board.jsonl"
    done = on_the_board(board, extra, "run", bundle, *photos, "--engine", engine, "--jsonl", lines, "--quiet")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert {record["engine"] for record in records} == {f"{engine}/cpu"}
    there = [record["predictions"][0]["class_id"] for record in records]
    assert len(here) == len(there) == PHOTOS
    assert sum(a == b for a, b in zip(here, there, strict=True)) >= 0.99 * PHOTOS
