"""Evaluation of real models from the outside: what is judged, what is said of it, and the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import orilla
from orilla.cli import invoke
from orilla.evaluation.comparing import compare
from orilla.evaluation.judgement import Criteria
from orilla_runtime.errors import UsageError
from tests.sdk.evaluation.test_report import assert_stands_alone


@pytest.fixture(scope="module")
def table(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of each digit with a column that says which half of the folder they are from."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "half"])
        for digit in "0123456789":
            files = sorted((digits_folder / digit).iterdir())
            rows.writerows([str(one), digit, "first"] for one in files[:6])
            rows.writerows([str(one), digit, "second"] for one in files[-6:])
    return path


def test_on_its_own_data_the_test_part_is_judged(digits_model: Path, digits_bundle: Path, desk: Any) -> None:
    data = desk.folder / "quickstart" / "digits"
    keras, bundle = orilla.evaluate(digits_model, data), orilla.evaluate(digits_bundle, data)
    for found in (keras, bundle):
        assert found.part == "test"
        assert len(found.paths) == len(found.training["split"]["test"]) == 359
        assert "test part alone" in found.note
    (one,) = keras.artifacts
    assert one.judgement.accuracy == one.accuracy
    assert one.accuracy.top1 == pytest.approx(keras.training["test"]["top1"])
    assert len(bundle.artifacts) == 6
    assert bundle.artifacts[bundle.default].artifact == "artifacts/int8.tflite"
    same = compare(one.judgement, bundle.artifacts[0].judgement)
    assert (same.n, same.only_old, same.only_new, same.p) == (359, 0, 0, 1)
    assert len(orilla.evaluate(digits_bundle, data, artifact="tflite:int8", part="validation").paths) == 179


def test_other_data_is_judged_whole_and_by_slice(digits_bundle: Path, table: Path) -> None:
    found = orilla.evaluate(digits_bundle, table, artifact="tflite:float32", slices=["half"])
    assert (found.part, len(found.paths)) == ("all", 120)
    assert "have the names of pictures that the model was trained with" in found.note
    (slices,) = found.artifacts[0].judgement.slices
    assert {one.value: one.n for one in slices.slices} == {"first": 60, "second": 60}
    assert found.images is not None
    assert [path.as_posix() for path in found.images.paths] == list(found.paths)


def test_what_cannot_be_judged_is_refused(digits_bundle: Path, table: Path) -> None:
    with pytest.raises(UsageError, match="'camera'"):
        orilla.evaluate(digits_bundle, table, slices=["camera"])
    with pytest.raises(UsageError, match="'good'"):
        orilla.evaluate(digits_bundle, table, criteria=Criteria(ok_class="good"))
    with pytest.raises(UsageError, match="'half'"):
        orilla.evaluate(digits_bundle, table, part="half")


def test_the_terminal_shows_models_classes_slices_and_a_threshold(
    digits_bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["evaluate", str(digits_bundle), str(table), "--slice", "half", "--false-reject-rate", "0.1"]) == 0
    out, _ = capsys.readouterr()
    for text in ("balanced", "macro-F1", "precision", "artifacts/int8.tflite:", "second", "at most 10 % of the right"):
        assert text in out
    assert len(out.splitlines()) < 40


def test_json_keeps_its_form_and_has_details(
    digits_bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(digits_bundle), str(table), "--artifact", "tflite:int8", "--json", "--top-k", "3"]
    assert invoke(arguments) == 0
    (short,) = json.loads(capsys.readouterr().out)
    kept = {"artifact", "format", "precision", "n", "top1", "top1_low", "top1_high", "agreement", "failed"}
    assert kept < set(short)
    assert short["top3"]["value"] >= short["top1"]
    assert short["part"] == "all"
    assert invoke([*arguments, "--details"]) == 0
    (long,) = json.loads(capsys.readouterr().out)
    assert {**long, "judgement": None, "ranking": None} == {**short, "judgement": None, "ranking": None}
    assert sum(n for _, _, n in long["judgement"]["confusion"]) == short["n"] == 120
    assert len(long["ranking"]["classes"]) == 10


def test_the_page_of_a_keras_model_shows_where_it_looked_and_how_it_learned(
    digits_model: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "use.txt").write_text("Reads forms.")
    page = tmp_path / "page.html"
    arguments = ["evaluate", str(digits_model), str(table), "--report", str(page), "--gradcam", "6"]
    assert invoke([*arguments, "--card", str(tmp_path / "use.txt")]) == 0
    assert f"report: {page}" in capsys.readouterr().out
    read = assert_stands_alone(page)
    for text in ("Grad-CAM", "Training", "Reads forms.", "Model card", "Calibration", "recipe"):
        assert text in read.text
    assert read.tags["img"] >= 6
    assert (tmp_path / "page" / "accuracy.png").is_file()


def test_the_page_of_a_bundle_compares_its_artifacts(digits_bundle: Path, table: Path, tmp_path: Path) -> None:
    assert invoke(["evaluate", str(digits_bundle), str(table), "--report", str(tmp_path / "page.html")]) == 0
    read = assert_stands_alone(tmp_path / "page.html")
    assert "Artifacts" in read.text
    assert "Grad-CAM" not in read.text
    for name in ("float32.tflite", "int8.onnx", "gained"):
        assert name in read.text


def test_a_page_that_cannot_be_written_is_found_before_the_work(
    digits_bundle: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "no" / "page.html"
    assert invoke(["evaluate", str(digits_bundle), str(table), "--report", str(missing)]) == 1
    assert "page.html" in capsys.readouterr().err
    assert invoke(["evaluate", str(digits_bundle), str(table), "--report", str(tmp_path / "page.pdf")]) == 2
    assert invoke(["evaluate", str(digits_bundle), str(table), "--predictions", str(tmp_path / "no" / "p.csv")]) == 1
    assert "p.csv: there is no folder" in capsys.readouterr().err
    (tmp_path / "pictures").mkdir()
    inside = str(tmp_path / "pictures" / "page.html")
    assert invoke(["evaluate", str(digits_bundle), str(tmp_path / "pictures"), "--report", inside]) == 2
    assert "among the class folders" in capsys.readouterr().err
    (tmp_path / "pictures").rmdir()
    for lonely in (["--details"], ["--card", "use.txt"]):
        assert invoke(["evaluate", str(digits_bundle), str(table), *lonely]) == 2
    assert not list(tmp_path.iterdir())
