"""The quickstart from an empty folder: one table, one page, and files that are where it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest


@pytest.mark.slow
def test_the_whole_way(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", "quickstart", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["artifact"]: row for row in found["artifacts"]}
    assert len(rows) == 6
    assert min(row["top1"] for row in rows.values()) >= 0.97
    for format_ in ("tflite", "onnx"):
        int8, float32 = (rows[f"artifacts/{precision}.{format_}"] for precision in ("int8", "float32"))
        assert int8["top1"] >= float32["top1"] - 0.01
    assert all(row["ms_per_image"] > 0 and row["speedup"] > 0 for row in rows.values())

    lines = (tmp_path / found["results"]).read_text().splitlines()
    assert len(lines) == rows["artifacts/int8.tflite"]["n"]
    page = (tmp_path / found["report"]).read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", ""), "the page must work without a network"
    assert page.count("<tr>") == 1 + 6
    assert "Pareto" in (tmp_path / found["conversion"]).read_text(encoding="utf-8")
    assert len(list((tmp_path / found["annotated"]).iterdir())) == 24
    video = cv2.VideoCapture(str(tmp_path / found["video"]))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames == 120


@pytest.mark.slow
def test_it_runs_again_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / ".orilla-quickstart").touch()
    (tmp_path / "quickstart" / "old.txt").touch()
    command = [sys.executable, "-c", "from orilla.cli import main; main()", "quickstart", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "quickstart" / "old.txt").exists()
    assert (tmp_path / "quickstart" / "digits.orilla").is_file()
