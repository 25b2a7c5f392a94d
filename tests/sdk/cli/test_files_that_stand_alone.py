"""`orilla info`, `orilla metadata` and `orilla export` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orilla import cli
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.model import load
from tests.runtime.small_models import onnx_colours, tflite_colours
from tests.sdk.test_weight import DESK, modules_after


def orilla(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """Standard output of one command, or standard error where it is to fail."""
    assert cli.invoke([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_info_of_every_file(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the list: inputs, outputs, operators, packed files; and a task exactly where one fits by itself."""
    entries = json.loads((shared_data / "models" / "models.json").read_text("utf-8"))["models"]
    for entry in entries:
        path = shared_data / "models" / entry["file"]
        if path.suffix == ".h5":
            continue
        found = json.loads(orilla(capsys, "info", path, "--json"))
        assert (found["bytes"], found["sha256"]) == (entry["bytes"], entry["sha256"])
        if len(found["signatures"]) < 2:  # the list counts the operators of one graph
            assert sum(found["operators"].values()) == sum(entry["operators"].values())
        assert sorted(found["packed_files"]) == sorted(entry.get("files_inside", []))
        assert {"labels", "preprocess", "artifacts"} <= set(found)
        shown = orilla(capsys, "info", path)
        assert shown.splitlines()[0].startswith(f"{path.name}: ")
        assert len(shown.splitlines()) < 25
        if entry["use"] != "classify":
            assert found["task"] is None
            assert "use          none: " in shown
        elif found["task"]:
            assert entry["classes"] == len(found["labels"] or [0] * entry["classes"])
        else:
            assert "does not say" in found["reason"]


def test_info_in_words(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = shared_data / "models"
    shown = orilla(capsys, "info", models / "mobilenet_v1_0.25_224_1_metadata_1.tflite")
    assert "name         MobileNetV1 image classifier" in shown
    assert "inputs       input float32[1x224x224x3]" in shown
    assert "labels       1001: background, tench, goldfish" in shown
    assert "normalized   (pixel - 127.5) / 127.5\n" in shown
    assert "use          classification of 224x224 rgb pictures, 1001 classes, probabilities out" in shown
    shown = orilla(capsys, "info", models / "pretrainedResnet_quant.tflite")
    assert "int8[?x32x32x3], scale 1, zero point -128" in shown
    shown = orilla(capsys, "info", models / "model_invoking_error.tflite")
    assert "fake-op-double (custom) 1" in shown
    assert "use          none: no engine here carries fake-op-double" in shown
    shown = orilla(capsys, "info", models / "mobilenet_v1_0.25_224_quant_qdq.onnx")
    assert "needs        opset ai.onnx 13, ai.onnx.ml 2, IR version 7" in shown


def test_info_shows_hostile_names_safely(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_colours(metadata={"author": "a\x1b[2Jb\nuse  c", "license": "‮evil"}))
    shown = orilla(capsys, "info", path)
    assert "\x1b" not in shown
    assert "‮" not in shown


def test_metadata_then_info_then_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody could run without options runs as it is."""
    path, labels = tmp_path / "m.tflite", tmp_path / "labels.txt"
    path.write_bytes(tflite_colours(uint8=False))
    labels.write_bytes("rot\r\ngrün\r\nblau".encode())
    assert json.loads(orilla(capsys, "info", path, "--json"))["task"] is None
    said = ("--labels", labels, "--mean", "0", "--std", "1", "--set", "name=Farben", "--set", "author=me=you")
    shown = orilla(capsys, "metadata", path, *said)
    assert "same outputs, bit for bit, on 3 drawn inputs (litert)" in shown
    found = json.loads(orilla(capsys, "info", path, "--json"))
    assert (found["name"], found["labels"]) == ("Farben", ["rot", "grün", "blau"])
    assert found["metadata"]["author"] == "me=you"
    assert found["preprocess"]["scale"] == [1.0]
    with load(path) as model:
        assert model(np.full((8, 12, 3), (0, 9, 0), np.uint8)).top.label == "grün"


def test_metadata_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_colours())
    found = json.loads(orilla(capsys, "metadata", path, "--set", "task=colours", "-o", tmp_path / "n.onnx", "--json"))
    assert found["path"] == str(tmp_path / "n.onnx")
    assert found["compared"] == {"inputs": 3, "engine": "onnxruntime", "reason": None}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("metadata", "m.tflite"), 2, "nothing to write"),
        (("metadata", "m.tflite", "--set", "name"), 2, "'name' is not KEY=VALUE"),
        (("metadata", "m.tflite", "--mean", "x", "--std", "1"), 2, "'x' is not one number"),
        (("metadata", "gone.tflite", "--set", "name=a"), 1, "there is no such file"),
        (("export", "m.tflite", "--to", "app"), 2, "is no bundle"),
        (("export", "gone.orilla", "--to", "app"), 1, "there is no such file"),
    ],
)
def test_mistakes_are_named(
    arguments: tuple[str, ...],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(tflite_colours())
    shown = orilla(capsys, *arguments, code=code)
    assert words in shown
    assert "Traceback" not in shown
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_export_stands_alone(digits_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each artifact's folder is enough: the model's bytes, and a self-test that a bare engine passes with it."""
    with open_bundle(digits_bundle) as bundle:
        artifacts, labels = bundle.manifest.artifacts, bundle.manifest.task.labels
        data = {artifact.path: bundle.read(artifact.path) for artifact in artifacts}
    for number, artifact in enumerate(artifacts):
        folder = tmp_path / f"app{number}"
        wanted = f"{artifact.format}:{artifact.precision}"
        done = json.loads(orilla(capsys, "export", digits_bundle, "--artifact", wanted, "--to", folder, "--json"))
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == set(done["files"])
        plan = json.loads((folder / "preprocess.json").read_text("utf-8"))
        golden = json.loads((folder / "golden.json").read_text("utf-8"))
        assert (folder / plan["model"]).read_bytes() == data[artifact.path]
        assert (folder / "labels.txt").read_text("utf-8").splitlines() == list(labels) == plan["labels"]
        assert (plan["fit"], plan["output"], plan["artifact"]) == ("stretch", "probabilities", artifact.path)
        taken = plan["inputs"][0]
        with load(folder / plan["model"], task="raw") as model:
            for case in golden["cases"]:
                tensor = np.fromfile(folder / case["input"], taken["dtype"]).reshape(taken["shape"])
                (found,) = model(tensor).tensors.values()
                assert np.abs(found.reshape(-1) - case["output"]).max() <= golden["tolerance"]
        assert len(golden["cases"]) == done["golden"] == 4


def test_export_takes_the_default_and_a_new_folder_alone(
    digits_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = orilla(capsys, "export", digits_bundle, "--to", tmp_path / "app")
    assert "artifacts/int8.tflite" in shown
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "app").rglob("*")}
    assert "is not empty" in orilla(capsys, "export", digits_bundle, "--to", tmp_path / "app", code=1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "app").rglob("*")} == before
    orilla(capsys, "export", digits_bundle, "--artifact", "none", "--to", tmp_path / "b", code=2)
    orilla(capsys, "export", digits_bundle, "--to", tmp_path / "no" / "b", code=1)
    (tmp_path / "empty").mkdir()
    orilla(capsys, "export", digits_bundle, "--to", tmp_path / "empty")
    for nameless in (".", "/", ""):
        assert "is no name of a new folder" in orilla(capsys, "export", digits_bundle, "--to", nameless, code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "empty"]


def test_none_of_them_needs_the_desk(digits_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tflite_colours())
    lines = [
        ["info", str(path)],
        ["metadata", str(path), "--set", "name=a"],
        ["export", str(digits_bundle), "--to", str(tmp_path / "app")],
    ]
    modules = modules_after(f"from orilla.cli import invoke as run\nfor line in {lines!r}:\n    assert run(line) == 0")
    assert not modules & DESK
