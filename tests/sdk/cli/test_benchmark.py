"""`orilla benchmark`: every engine and number of threads in one table, remembered for `--engine auto`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orilla.cli.benchmark import command
from orilla_runtime.engines.registry import engines
from orilla_runtime.tuning.measuring import thread_counts
from tests.runtime.small_models import tflite_colours


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "colours.tflite"
    path.write_bytes(tflite_colours())
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    return path


def benchmark(model: Path, *arguments: str) -> Result:
    labels = ("--labels", str(model.with_name("names.txt")))
    # Not through the group: that imports modules whose names are also functions of the package.
    return CliRunner().invoke(command, [str(model), "--rounds", "10", *labels, *arguments])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_every_way_is_timed_and_the_best_is_taken_from_then_on(model: Path, empty_cache: Path) -> None:
    found = rows(benchmark(model, "--json"))
    able = [name for name, engine in engines().items() if "tflite" in engine.formats and engine.availability().devices]
    assert [(row["engine"], row["threads"]) for row in found] == [
        (f"{name}/cpu", threads) for name in able for threads in thread_counts()
    ]
    for row in found:
        for part in ("invoke", "frame"):
            assert 0 < row[part]["p50"] <= row[part]["p95"] <= row[part]["p99"]
        assert row["first"] > 0
    (best,) = [row for row in found if row["best"]]
    (auto,) = [row for row in found if row["auto"]]
    assert best["invoke"]["p50"] <= auto["invoke"]["p50"] <= best["invoke"]["p50"] * 1.02
    assert list(empty_cache.rglob("*.json"))


def test_a_comparison_of_some_is_not_remembered(model: Path, empty_cache: Path) -> None:
    (row,) = rows(benchmark(model, "--json", "--engine", "litert", "--threads", "1"))
    assert (row["engine"], row["threads"], row["best"], row["auto"]) == ("litert/cpu", 1, True, True)
    assert not empty_cache.exists()


def test_the_table(model: Path) -> None:
    shown = benchmark(model)
    assert shown.exit_code == 0, shown.output
    assert "p50 / p95 / p99" in shown.stdout
    assert shown.stdout.count("best") == shown.stdout.count("auto") == 1


def test_an_engine_that_does_not_take_the_file(model: Path) -> None:
    failed = benchmark(model, "--engine", "onnxruntime")
    assert failed.exit_code != 0


def test_a_run_may_measure_first(model: Path, tmp_path: Path, empty_cache: Path) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / "p.png"
    cv2.imwrite(str(picture), np.full((20, 30, 3), (10, 20, 200), np.uint8))
    program = [sys.executable, "-c", "from orilla.cli import main; main()", "run", model, picture]
    program += ["--labels", tmp_path / "names.txt"]
    plain = subprocess.run([*map(str, program)], capture_output=True, text=True, timeout=120, check=False)
    assert plain.returncode == 0, plain.stderr
    assert not empty_cache.exists()
    program += ["--measure", "once"]
    measured = subprocess.run([*map(str, program)], capture_output=True, text=True, timeout=120, check=False)
    assert measured.returncode == 0, measured.stderr
    assert "measured here: " in measured.stderr
    assert list(empty_cache.rglob("*.json"))
    assert measured.stdout == plain.stdout
