"""The samples run as a reader would run them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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
