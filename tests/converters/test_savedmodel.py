"""A SavedModel for TensorFlow Serving: proved like the others, unfolded by `orilla export`, and never run by Orilla."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orilla.cli import invoke as run
from orilla_converters.conversion import convert
from orilla_converters.judging import judging_engine
from orilla_converters.recipe import Recipe, default_precisions, parse_recipe
from orilla_converters.serving import ServedModel
from orilla_converters.worker import Workshop
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.errors import EngineError, ModelError, UsageError
from orilla_runtime.formats.packed_folder import packed, unpacked
from orilla_runtime.model import load
from tests.converters.conftest import LABELS, Bench

ARTIFACT = "artifacts/float32.savedmodel"
RECIPES = (Recipe("tflite", "float32"), Recipe("savedmodel", "float32"))


@pytest.fixture(scope="module")
def served(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a TFLite file and a SavedModel."""
    path = tmp_path_factory.mktemp("served") / "digits.orilla"
    with pytest.MonkeyPatch.context() as patch:
        # Where the caller stands lies a file that is called like a module of Python's.
        patch.chdir(path.parent)
        Path("tempfile.py").write_text("raise SystemExit('not the one')")
        convert(bench.model, data=bench.digits, output=path, recipes=RECIPES, timing=False, jobs=2)
    return path


def test_it_is_judged_like_the_others(served: Path) -> None:
    with open_bundle(served) as bundle:
        artifact = bundle.classifier.artifacts[1]
        assert (artifact.path, artifact.recipe) == (ARTIFACT, "savedmodel:float32")
        (taken,), (given,) = artifact.inputs, artifact.outputs
        assert (taken.name, taken.shape, taken.dtype) == ("image", (None, 16, 16, 3), "uint8")
        assert (given.name, given.shape, given.dtype) == ("probabilities", (None, 10), "float32")
        assert artifact.metrics is not None
        assert artifact.metrics.agreement == 1
        assert artifact.metrics.sqnr_db is None or artifact.metrics.sqnr_db > 100
        assert artifact.gate is not None
        assert artifact.gate.min_agreement == 0.995


def test_the_folder_is_what_serving_takes(served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(served), "--artifact", "savedmodel", "--to", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["artifact"] == ARTIFACT
    folder = tmp_path / "out" / "digits" / "1"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"saved_model.pb", "variables/variables.index"} <= set(files)
    said = json.loads((tmp_path / "out" / "preprocess.json").read_text())
    assert said["model"] == "digits/1"
    golden = json.loads((tmp_path / "out" / "golden.json").read_text())
    cases = golden["cases"]
    pixels = [np.fromfile(tmp_path / "out" / case["input"], np.uint8).reshape(16, 16, 3) for case in cases]
    session = ServedModel(packed(files))
    try:
        (scores,) = session.run(np.stack(pixels))
        assert np.abs(scores - np.array([case["output"] for case in cases])).max() <= golden["tolerance"]
        with pytest.raises(ModelError, match="TensorFlow refuses the SavedModel"):
            session.run(np.zeros((1, 4, 4, 3), np.uint8))
    finally:
        session.close()


def test_the_same_bytes_each_time(served: Path, bench: Bench) -> None:
    with open_bundle(served) as bundle, Workshop() as workshop:
        parameters = {"model": str(bench.model), "raw": True, "recipe": "savedmodel:float32"}
        again = Path(workshop.run("savedmodel", "again", parameters)["path"]).read_bytes()
        assert unpacked(again, "again") == unpacked(bundle.read(ARTIFACT), ARTIFACT)
        assert again == bundle.read(ARTIFACT)


def test_no_engine_runs_it_and_the_others_are_used(
    served: Path, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    with load(served) as model:
        assert model.artifact == "artifacts/float32.tflite"
    with pytest.raises(EngineError, match="for TensorFlow Serving"):
        load(served, artifact="savedmodel")
    why = f"{ARTIFACT}: A SavedModel is for TensorFlow Serving, and no engine of Orilla runs it."
    assert run(["info", str(served), "--verify"]) == 0
    out, err = capsys.readouterr()
    assert ARTIFACT in out
    assert f"not run {why}" in err
    for command in (
        ["evaluate", str(served), str(bench.digits), "--quiet"],
        ["benchmark", str(served), "--rounds", "10"],
    ):
        assert run(command) == 0
        out, err = capsys.readouterr()
        assert "float32.tflite" in out
        assert "savedmodel" not in out
        assert f"skipped {why}" in err
    assert run(["evaluate", str(served), str(bench.digits), "--artifact", "savedmodel"]) == 1
    assert "orilla export" in capsys.readouterr().err


def test_an_activation_with_a_gradient_of_its_own(bench: Bench, tmp_path: Path) -> None:
    program = (
        "import sys, keras\n"
        "model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255),\n"
        "    keras.layers.Conv2D(4, 3, activation='swish'), keras.layers.GlobalAveragePooling2D(),\n"
        "    keras.layers.Dense(10, activation='softmax')])\n"
        "model.save(sys.argv[1])\n"
    )
    model = tmp_path / "swish.keras"
    subprocess.run([sys.executable, "-c", program, str(model)], check=True, capture_output=True)
    recipe = Recipe("savedmodel", "float32")
    output = tmp_path / "swish.orilla"
    found = convert(model, data=bench.digits, output=output, recipes=[recipe], labels=LABELS, timing=False)
    assert found.artifacts[0].metrics.agreement == 1


def test_only_float32_with_bytes_in() -> None:
    with pytest.raises(UsageError, match="savedmodel has no precision 'int8'"):
        parse_recipe("savedmodel:int8")
    with pytest.raises(UsageError, match="cannot have io=float"):
        parse_recipe("savedmodel:float32,io=float")
    assert default_precisions("savedmodel") == ("float32",)
    assert default_precisions("onnx") == ("float32", "float16", "int8")
    assert parse_recipe("savedmodel:float32").open_batch


def test_what_is_no_saved_model_is_refused() -> None:
    engine = judging_engine("savedmodel")
    for data in (b"", b"junk", b"PK\x03\x04" + bytes(2000)):
        with pytest.raises(ModelError) as caught:
            engine.load(data, EngineOptions())
        assert len(str(caught.value).splitlines()) <= 2
