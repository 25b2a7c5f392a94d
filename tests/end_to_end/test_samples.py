"""The samples run as a reader would run them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import orilla
from tests.conftest import REPOSITORY


def sample(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(REPOSITORY / "samples" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_convert_and_classify(digits_model: Path, digits_folder: Path, tmp_path: Path) -> None:
    pictures = sorted((digits_folder / "7").glob("*.png"))[:2]
    output = sample("01_convert_and_classify.py", digits_model, digits_folder, tmp_path / "digits.orilla", *pictures)
    lines = output.splitlines()
    assert len(lines) == 2 + 2
    assert all("agrees with Keras on" in line for line in lines[:2])
    assert [line.split(": ")[1].split()[0] for line in lines[2:]] == ["7", "7"]


def test_camera(digits_bundle: Path, digits_folder: Path, tmp_path: Path) -> None:
    from orilla.data.digits import write_video

    clip = tmp_path / "clip.avi"
    write_video([sorted((digits_folder / digit).glob("*.png"))[0] for digit in "407"], clip)
    lines = sample("02_camera.py", digits_bundle, "--source", clip).splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == ["4", "0", "7"]


def test_own_camera(digits_bundle: Path, digits_folder: Path, tmp_path: Path) -> None:
    for place, digit in enumerate("4071235"):
        shutil.copy(sorted((digits_folder / digit).glob("*.png"))[0], tmp_path / f"{place}.png")
    lines = sample("04_own_camera.py", digits_bundle, tmp_path).splitlines()
    # The fifth thing that came was not a picture but the cable.
    assert [line.split(": ")[0].split()[-1] for line in lines] == ["0", "1", "2", "3", "5", "6", "7"]
    assert [line.split(": ")[1].split()[0] for line in lines] == list("4071235")


def test_inspection_app(digits_bundle: Path, digits_folder: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with orilla.load(digits_bundle) as classifier:

        def score(image: np.ndarray) -> float:
            return float(classifier(image).top.score)

        of = {digit: [cv2.imread(str(path)) for path in (digits_folder / digit).glob("*.png")] for digit in "730"}
        sevens = sorted(of["7"], key=score)[-3:]
        pictures = [*sevens[:2], max(of["3"], key=score), max(of["0"], key=score)]
        # Two digits on one picture: what no class is sure of.
        both = [cv2.addWeighted(one, 0.5, other, 0.5, 0) for one, other in zip(of["7"], of["0"], strict=False)]
        unsure = min(both, key=score)
        sure = min(map(score, pictures))
        assert score(unsure) < 0.9 * sure
        threshold = (score(unsure) + sure) / 2
    for place, image in enumerate((*pictures, unsure, unsure, sevens[2])):
        cv2.imwrite(str(parts / f"{place}.png"), image)
    (parts / "5.png").write_bytes(b"the cable fell out")
    options = ["--good", "7", "--threshold", str(threshold), "--deadline", "1", "--busy-at", "6"]
    output = sample("06_inspection_app.py", digits_bundle, parts, *options, "--database", tmp_path / "line.db")
    assert output.splitlines()[-1] == "2 OK, 2 NG, 3 unsure"
    assert [line.strip() for line in output.splitlines() if "gate" in line] == [
        "gate: part 0 passes",
        "gate: part 1 passes",
    ]
    database = sqlite3.connect(tmp_path / "line.db")
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM parts ORDER BY part").fetchall()
    database.close()
    assert [row["verdict"] for row in rows] == ["OK", "OK", "NG", "NG", "unsure", "unsure", "unsure"]
    assert [row["label"] for row in rows[:4]] == ["7", "7", "3", "0"]
    assert json.loads(rows[0]["scores"])["7"] == round(rows[0]["score"], 4)
    assert "below its threshold" in rows[4]["reason"]
    assert rows[5]["reason"] == "no picture of part 5"
    assert rows[6]["reason"] == "no answer within 1000 ms"
    assert all(row["verdict_ms"] > 0 and len(row["bundle"]) == 64 and row["engine"] for row in rows)


def test_pets(unzipped: Callable[[str], Path], tmp_path: Path) -> None:
    root = next(path.parent for path in unzipped("cats_dogs_180.zip").rglob("cat") if path.is_dir())
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for photo in sorted((root / label).iterdir())[:20]:
            shutil.copy(photo, tmp_path / "photos" / label)
    lines = sample("07_pets.py", tmp_path / "photos", tmp_path / "pets").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Keras", *["artifacts/int8.tflite"] * 2]
    assert "of 8 held-out pictures right" in lines[0]
    assert "of 8 photos right" in lines[2]


def test_cifar10(shared_data: Path, tmp_path: Path) -> None:
    with np.load(shared_data / "cifar10_subset.npz") as archive:
        data, offsets, labels = (archive[f"test_{name}"] for name in ("jpeg", "offsets", "labels"))
    for place in range(300):
        folder = tmp_path / "photos" / str(labels[place])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{place}.jpg").write_bytes(data[offsets[place] : offsets[place + 1]].tobytes())
    lines = sample("08_cifar10.py", tmp_path / "photos", tmp_path / "nets", "1").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["cifar_cnn", "small"]
    assert all("held-out pictures right" in line and "as int8" in line for line in lines)
