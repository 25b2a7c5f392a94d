"""`orilla convert`: its table, its JSON and its plain progress."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orilla.cli import invoke as run
from tests.converters.conftest import Bench


def arguments(bench: Bench, output: Path, *more: str) -> list[str]:
    common = ["--data", str(bench.digits), "--output", str(output), "--precision", "float32"]
    return ["convert", str(bench.model), *common, *more]


def test_json(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "a.orilla"
    assert run(arguments(bench, output, "--format", "tflite", "--json", "--quiet")) == 0
    out, _ = capsys.readouterr()
    result = json.loads(out)
    assert result["bundle"] == str(output)
    (artifact,) = result["artifacts"]
    assert artifact["artifact"] == "artifacts/float32.tflite"
    assert artifact["bytes"] > 1000
    assert artifact["top1"] == artifact["keras_top1"] >= 0.9
    assert artifact["n"] == len(bench.split["test"])
    assert artifact["default"]
    assert artifact["pareto"]
    assert artifact["time_ratio"] == artifact["size_ratio"] == 1.0
    assert artifact["ms"]["low"] <= artifact["ms"]["median"] <= artifact["ms"]["high"]
    assert [flips["threshold"] for flips in artifact["thresholds"]] == [0.5, 0.7, 0.9]
    assert output.is_file()


def test_table_and_progress(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments(bench, tmp_path / "a.orilla", "--format", "onnx")) == 0
    out, err = capsys.readouterr()
    assert "float32.onnx" in out
    assert "passed *+" in out
    assert max(len(line) for line in out.splitlines()[:3]) <= 100
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "read",
        "calibrate",
        "write",
        "verify",
        "measure",
        "bundle",
    ]


def test_an_unknown_precision_is_a_usage_error(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(bench.model), "--data", "x", "-o", "a.orilla", "--precision", "int3"]) == 2
    assert "int3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--memory", "nan"), "no number of GiB"),
        (("--memory", "0"), "--memory"),
        (("--limit", "0"), "--limit"),
        (("--seed", "-1"), "seed is -1"),
        (("--recipe", "tflite:int8,calibration=5", "--recipe", "onnx:int8"), "one sample to calibrate"),
    ],
)
def test_values_that_cannot_be_are_usage_errors(
    more: tuple[str, ...], word: str, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(bench, tmp_path / "a.orilla", *more)) == 2
    assert word in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_recipes_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes"]) == 0
    out, _ = capsys.readouterr()
    assert "tflite:16x8" in out
    assert "float_layers" in out
    assert run(["recipes", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["recipes"]
    assert {row["recipe"] for row in rows} >= {"tflite:dynamic", "onnx:mixed"}


def test_a_recipe_that_cannot_be_is_a_usage_error(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", str(bench.model), "--data", "x", "-o", "a.orilla", "--recipe", "onnx:dynamic"]) == 2
    assert "onnx has no precision" in capsys.readouterr().err
