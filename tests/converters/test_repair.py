"""Models that int8 ruins: the plain recipe fails with the layer named, and the ladder of repairs brings them back."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any, cast

import pytest

from orilla.cli import invoke as run
from orilla_converters.conversion import convert
from orilla_converters.diagnose import Diagnosis
from orilla_converters.gates import gate_for
from orilla_converters.layer_report import LayerReport, LayerRow
from orilla_converters.progress import silent
from orilla_converters.recipe import Recipe
from orilla_converters.repair import Hands, outliers, repair
from orilla_converters.verify import Verdict
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import ModelError
from tests.converters.conftest import Bench


def recipes(format_: str, *precisions: str) -> list[Recipe]:
    return [Recipe(format_, precision) for precision in precisions]


def test_the_plain_recipe_fails_with_the_layer_named(
    ruined: Path, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scaled.orilla"
    arguments = ["--data", str(bench.digits), "-o", str(output), "--format", "tflite", "--precision", "int8"]
    assert run(["convert", str(ruined / "scaled.keras"), *arguments]) == 3
    _, err = capsys.readouterr()
    assert "the first bad layer is dw1 (DEPTHWISE_CONV_2D)" in err
    assert "SQNR dB" in err, "the table is shown"
    assert "--repair" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scaled.diagnosis.json"]
    (artifact,) = json.loads((tmp_path / "scaled.diagnosis.json").read_text())["artifacts"]
    layers = LayerReport.from_json(artifact["layers"])
    assert [row.layer for row in layers.rows[:3]] == ["stem", "dw1", "pw1"]
    assert layers.first_bad is layers.rows[1]


def test_scaled_channels_are_repaired_as_int8(ruined: Path, bench: Bench, tmp_path: Path) -> None:
    repaired(ruined, bench, tmp_path, "tflite")


@pytest.mark.slow
def test_scaled_channels_are_repaired_as_int8_in_onnx(ruined: Path, bench: Bench, tmp_path: Path) -> None:
    repaired(ruined, bench, tmp_path, "onnx")


def repaired(ruined: Path, bench: Bench, folder: Path, format_: str) -> None:
    output = folder / "scaled.orilla"
    stale = output.with_suffix(".diagnosis.json")
    stale.write_text("{}")
    both, page = recipes(format_, "float32", "int8"), folder / "scaled.html"
    model = ruined / "scaled.keras"
    result = convert(model, data=bench.digits, output=output, recipes=both, repair=True, report=page, jobs=2)
    exact, small = result.artifacts
    assert (exact.precision, small.precision) == ("float32", "int8")
    assert small.metrics.accuracy is not None
    assert small.metrics.keras_accuracy is not None
    assert small.metrics.accuracy.top1 >= small.metrics.keras_accuracy.top1 - 0.01
    assert small.metrics.sqnr_db is not None
    assert small.metrics.sqnr_db > 25
    assert exact.bytes / small.bytes >= 3.2
    assert not stale.exists()
    with open_bundle(output) as bundle:
        first, last = bundle.artifact(f"{format_}:int8").repairs
        assert bundle.artifact(f"{format_}:float32").repairs == ()
    assert "the first bad layer is dw1" in first
    assert "pairs of layers equalized: passed" in last
    text = page.read_text(encoding="utf-8")
    told = text[text.index("<h2>What was repaired, and why</h2>") :]
    assert told.index(f"<h3>int8.{format_}</h3>") < told.index(escape(first)) < told.index(escape(last))
    assert "✓ repaired" in text
    assert "All 2 artifacts passed" in text


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_an_outlier_is_repaired_by_layers_in_float(format_: str, ruined: Path, bench: Bench, tmp_path: Path) -> None:
    result = convert(
        ruined / "outlier.keras",
        data=bench.digits,
        output=tmp_path / "outlier.orilla",
        recipes=recipes(format_, "int8"),
        repair=True,
    )
    (artifact,) = result.artifacts
    assert artifact.precision == "mixed"
    with open_bundle(result.path) as bundle:
        made = bundle.artifact(artifact.path)
    assert made.recipe.startswith(f"{format_}:mixed,")
    assert {"stem", "dw1", "add"} <= set(made.recipe.partition("float_layers=")[2].split("+"))
    assert "times the middle one" in made.repairs[0]
    assert any("equalized: " in step and "below Keras" in step for step in made.repairs)
    assert "in float: passed" in made.repairs[-1]


def row(layer: str, spread: float, *reads: str) -> LayerRow:
    return LayerRow(layer, "CONV_2D", 30.0, 20.0, 0.1, spread, 1.0, reads)


def test_the_search_takes_outliers_with_their_readers() -> None:
    report = LayerReport((row("a", 2), row("b", 900, "a"), row("c", 30, "b"), row("d", 2, "c"), row("e", 1, "d")), 10.0)
    assert list(outliers(report)) == [("b", "c"), ("b", "c", "d")]
    assert not list(outliers(LayerReport((row("a", 2), row("b", 3, "a")), 10.0)))


def test_a_rung_that_is_refused_is_passed_over() -> None:
    def refuse(*_: object) -> Any:
        raise ModelError("the interpreter refuses it")

    layers = LayerReport((row("my conv", 900), row("b", 2, "my conv"), row("c", 1, "b")), 10.0)
    gate, judge = gate_for("int8", labelled=True), cast("Any", None)  # nothing is made, and nothing judged
    failed = Verdict(Recipe("tflite", "int8"), b"", (), (), gate, None, ("it does not run",))
    made = repair(Hands(refuse, refuse, refuse, judge, {}, silent), failed, Diagnosis("int8.tflite", "", layers))
    assert made.verdict is None
    assert list(made.tried[1:]) == [
        "equalization: the interpreter refuses it",
        "my conv, b in float: a recipe cannot spell these names",
        "16x8: the interpreter refuses it",
        "dynamic: the interpreter refuses it",
        "float16: the interpreter refuses it",
    ]


def test_a_large_channel_hides_nothing() -> None:
    """The whole tensor looks well where one channel is large: a quarter of the channels tells."""
    bad = LayerRow("b", "CONV_2D", 43.0, 0.5, 7.0, 1000.0, 1.0)
    report = LayerReport((row("a", 2), bad, row("c", 2)), 10.0)
    assert report.first_bad is bad
    assert "a quarter of its channels below 0.5 dB, its largest channel is 1e+03 times" in report.finding()
    assert [line[0] for line in report.table().splitlines()] == [" ", " ", ">", " "]
    assert LayerReport.from_json(json.loads(json.dumps(report.to_json()))) == report
