"""The whole walk: the same bytes each time, gates that hold, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orilla_converters.conversion import convert
from orilla_converters.keras_card import KerasCard, read_card, write_card
from orilla_converters.latency import measure_latency
from orilla_converters.progress import Note, Step
from orilla_converters.recipe import Recipe
from orilla_converters.results import ConversionResult
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import DataError, GateError, ModelError, OrillaError, SinkError, UsageError
from orilla_runtime.preprocess import Preprocess
from tests.converters.conftest import LABELS, RECIPES, Bench

FLOAT = (Recipe("tflite", "float32"),)
KEPT = Recipe("tflite", "mixed", float_layers=("a",))


def test_twice_gives_the_same_bytes(bench: Bench, converted: ConversionResult, tmp_path: Path) -> None:
    output = tmp_path / "digits.orilla"
    again = convert(bench.model, data=bench.digits, output=output, recipes=RECIPES, jobs=2, timing=False)
    assert again.bundle_id == converted.bundle_id
    assert again.path.read_bytes() == converted.path.read_bytes()


def test_a_model_without_a_card_and_pictures_without_labels(bench: Bench, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(bench.digits.glob("*/*.png"))[::10]):
        shutil.copy(path, flat / os.fsdecode(b"se\xf1al %d.png" % number))
    (flat / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    events: list[Step | Note] = []
    result = convert(
        bench.bare,
        data=flat,
        output=tmp_path / "a.orilla",
        recipes=[Recipe("tflite", "int8")],
        calibration=17,
        golden="drawn",
        progress=events.append,
    )
    (artifact,) = result.artifacts
    assert artifact.metrics.accuracy is None
    assert artifact.metrics.n in {42, 43, 44}
    assert result.calibrated_on in {16, 17}
    assert artifact.gate.min_agreement == 0.93
    assert any(isinstance(event, Note) and "broken.png" in event.text for event in events)
    assert any(
        isinstance(event, Note) and f"Only {artifact.metrics.n} pictures judge" in event.text for event in events
    )
    with open_bundle(result.path) as bundle:
        assert bundle.manifest.task.labels == tuple("0123456789")
        # The manifest says what was done, and names that are no UTF-8 are in the report.
        assert bundle.manifest.artifacts[0].recipe == "tflite:int8,calibration=17"
        worst = json.loads(bundle.read("report/verification.json"))["artifacts"][0]["worst"]
        assert all((flat / row["picture"]).is_file() for row in worst)
        assert bundle.manifest.golden is not None
        assert bundle.manifest.golden.kind == "drawn"


def test_a_gate_that_fails_names_the_artifact_and_by_how_much(bench: Bench, ruined: Path, tmp_path: Path) -> None:
    recipes = [Recipe("onnx", "float32"), Recipe("onnx", "int8")]
    model, output = ruined / "scaled.keras", tmp_path / "bad.orilla"
    with pytest.raises(GateError) as caught:
        convert(model, data=bench.digits, output=output, recipes=recipes, report=tmp_path / "bad.html")
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert "1 of 2 artifacts failed" in text
    assert "int8.onnx: " in text
    assert "float32.onnx" not in text
    assert "points below Keras" in text
    assert len(text.splitlines()) == 2
    assert not (tmp_path / "bad.orilla").exists()
    page = (tmp_path / "bad.html").read_text(encoding="utf-8")
    assert "1 of 2 artifacts failed: no bundle was written" in page
    assert "points below Keras" in page
    assert (tmp_path / "bad.png").is_file()


def test_speed_is_measured_in_one_process(bench: Bench, converted: ConversionResult) -> None:
    picture = next(bench.digits.glob("*/*.png"))
    keras, artifacts = measure_latency(bench.model, converted.path, picture, rounds=3)
    assert keras > 0
    assert set(artifacts) == {artifact.path for artifact in converted.artifacts}
    assert all(spent > 0 for spent in artifacts.values())


def card_of_other_size(model: Path) -> None:
    write_card(model, KerasCard(LABELS, Preprocess((32, 32))))


def card_with_fewer_labels(model: Path) -> None:
    card = read_card(model)
    assert card is not None
    write_card(model, KerasCard(LABELS[:5], card.preprocess))


@pytest.mark.parametrize(
    ("change", "word"), [(card_of_other_size, "its card speaks of"), (card_with_fewer_labels, "5 labels")]
)
def test_a_card_of_another_model_is_refused(change: object, word: str, bench: Bench, tmp_path: Path) -> None:
    model, flat = tmp_path / "m.keras", tmp_path / "flat"
    shutil.copy(bench.model, model)
    change(model)  # type: ignore[operator]
    shutil.copytree(bench.digits / "digit 3", flat)
    with pytest.raises(DataError, match=word):
        convert(model, data=flat, output=tmp_path / "a.orilla", recipes=FLOAT)
    assert not (tmp_path / "a.orilla").exists()


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"output": "a.zip"}, UsageError, "ends in"),
        ({"output": "no/folder/a.orilla"}, SinkError, "no folder"),
        ({"output": "/proc/a.orilla"}, SinkError, "cannot be written"),
        ({"model": "gone.keras"}, DataError, "no such file"),
        ({"model": "photo.png"}, ModelError, "not a .keras file"),
        ({"data": "nowhere"}, DataError, "nowhere"),
        ({"recipes": ()}, UsageError, "No artifact"),
        ({"golden": "silver"}, UsageError, "silver"),
        ({"max_drop": 7.0}, UsageError, "max_drop"),
        ({"thresholds": [7.0]}, UsageError, "threshold"),
        ({"labels": ["a"]}, UsageError, "--labels"),
        ({"crop_fraction": 0.5}, UsageError, "--crop-fraction"),
        ({"seed": -1}, UsageError, "seed is -1"),
        (
            {"recipes": (Recipe("tflite", "int8", 50), Recipe("onnx", "int8", 60))},
            UsageError,
            "one sample to calibrate",
        ),
        ({"recipes": (KEPT, replace(KEPT, float_layers=("a", "b")))}, UsageError, "would both be mixed.tflite"),
        ({"recipes": (Recipe("tflite", "int8", 50), Recipe("tflite", "int8", 60))}, UsageError, "would both be int8"),
        ({"report": "a.pdf"}, UsageError, "ends in .html"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    options: dict[str, object], error: type[OrillaError], word: str, bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    values: dict[str, object] = {"model": bench.model, "data": bench.digits, "output": "a.orilla", "recipes": FLOAT}
    values |= options
    for name in ("model", "data", "output"):
        values[name] = tmp_path / Path(str(values[name]))
    with pytest.raises(error, match=word):
        convert(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("output", ["", ".", "/"])
def test_a_bundle_has_a_name(output: str, bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"ends in \.orilla") as caught:
        convert(bench.model, data=bench.digits, output=output, recipes=FLOAT)
    assert "NAME.orilla" in caught.value.remedy


def test_outputs_without_names_are_asked_for_theirs(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has the class 'digit 0'; the 10 outputs of .* have no names") as caught:
        convert(bench.bare, data=bench.digits, output=tmp_path / "a.orilla", recipes=FLOAT)
    assert "--labels FILE" in caught.value.remedy


def test_the_trainings_test_pictures_alone_make_no_int8(bench: Bench, tmp_path: Path) -> None:
    for name in bench.split["test"][:20]:
        (tmp_path / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bench.digits / name, tmp_path / "test" / name)
    recipes = [Recipe("onnx", "int8")]
    with pytest.raises(DataError, match=r"test pictures of the training alone.* int8\.onnx") as caught:
        convert(bench.model, data=tmp_path / "test", output=tmp_path / "a.orilla", recipes=recipes)
    assert "--precision float32,float16" in caught.value.remedy


def test_classes_of_other_names_are_refused(bench: Bench, tmp_path: Path) -> None:
    shutil.copytree(bench.digits / "digit 3", tmp_path / "data" / "cat")
    with pytest.raises(DataError, match="cat"):
        convert(bench.model, data=tmp_path / "data", output=tmp_path / "a.orilla", recipes=FLOAT)
