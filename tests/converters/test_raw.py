"""Models of any inputs and outputs, written in every precision, judged, bundled and run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.cli import invoke as run_command
from orilla_converters.conversion import convert
from orilla_converters.judging import judging_engine
from orilla_converters.normalization import Normalization
from orilla_converters.ports import InputPort, OutputPort, Ports
from orilla_converters.raw.judging import RawJudge, RawVerdict
from orilla_converters.recipe import Recipe
from orilla_converters.tensor_file import write_tensors
from orilla_converters.worker import call
from orilla_runtime.bundle.golden import self_test
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.errors import OrillaError, UsageError
from orilla_runtime.model import load
from tests.converters.raw_jobs import RECIPES

HERE = Path(__file__).parent
LOOSE = {"float32": 1e-3, "float16": 0.02, "16x8": 0.1, "int8": 0.15, "mixed": 0.15}
"""The largest error that a net of random weights may have, as a share of the output's range."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pose.keras`, `mask.keras`, `twins.keras` and the SavedModel `own`, each with samples and answers."""
    folder = tmp_path_factory.mktemp("raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        call("raw_jobs:build_in", {"folder": str(folder)}, what="models")
    return folder


def written(models: Path, name: str, recipes: tuple[str, ...], **parameters: Any) -> dict[str, Any]:
    model = models / (name if name == "own" else f"{name}.keras")
    files = {"samples": str(models / f"{name}.npz"), "answers": str(models / f"{name}-answers.npz")}
    return call("raw_jobs:written", {"model": str(model), "recipes": recipes, **files, **parameters}, what=name)


def check(found: dict[str, Any], inputs: list[str], outputs: list[str]) -> None:
    for spelling, made in found.items():
        assert "refused" not in made, (spelling, made)
        assert [one.split()[0] for one in made["inputs"]] == inputs, spelling
        assert [one.split()[0] for one in made["outputs"]] == outputs, spelling
        precision = spelling.partition(":")[2].partition(",")[0]
        assert max(made["errors"].values()) < LOOSE[precision], (spelling, made)


def test_dicts_of_tensors_in_every_precision(models: Path, worker_path: None) -> None:
    found = written(models, "pose", RECIPES)
    check(found, ["angles", "view"], ["box", "kind"])
    assert found["tflite:int8"]["inputs"] == ["angles float32[1x3]", "view uint8[1x16x16x3]"]
    assert found["tflite:int8"]["outputs"] == ["box float32[1x4]", "kind float32[1x5]"]
    assert found["tflite:int8,io=integer"]["inputs"] == ["angles uint8[1x3]", "view uint8[1x16x16x3]"]
    assert found["tflite:float32,io=float"]["inputs"] == ["angles float32[1x3]", "view float32[1x16x16x3]"]
    assert found["onnx:float32,batch=dynamic"]["outputs"] == ["box float32[?x4]", "kind float32[?x5]"]
    assert found["savedmodel:float32"]["inputs"] == ["angles float32[?x3]", "view uint8[?x16x16x3]"]


def test_lists_keep_their_order_and_shared_layers_stay_shared(models: Path, worker_path: None) -> None:
    found = written(models, "twins", ("tflite:float32", "tflite:int8", "onnx:int8", "savedmodel:float32"))
    check(found, ["right", "left"], ["after", "scores"])


def test_a_saved_model_of_named_tensors(models: Path, worker_path: None) -> None:
    found = written(models, "own", ("tflite:float32", "tflite:int8", "onnx:float32", "onnx:int8"), normalization=[1, 0])
    check(found, ["angles", "view"], ["box", "scores"])


def test_a_subclassed_model_in_memory(worker_path: None) -> None:
    found = call("raw_jobs:live", {}, what="live")
    assert (found["inputs"], found["outputs"]) == (["angles", "view"], ["box", "scores"])
    assert max(found["errors"]) < 1e-4


@pytest.fixture(scope="module")
def posed(models: Path) -> Path:
    """A bundle of two artifacts of the model of two inputs and two outputs."""
    recipes = [Recipe(format_, "float32") for format_ in ("tflite", "onnx", "savedmodel")]
    result = convert(models / "pose.keras", data=models / "pose.npz", output=models / "pose.orilla", recipes=recipes)
    assert [one.path for one in result.raw] == [f"artifacts/{recipe.name}" for recipe in recipes]
    assert {output.name for one in result.raw for output in one.metrics.outputs} == {"box", "kind"}
    assert [(one.default, one.slower, one.larger) for one in result.raw] == [(True, False, False)] * 3
    assert [one.latency is None for one in result.raw] == [False, False, True]
    return result.path


@pytest.fixture(scope="module")
def masked(models: Path) -> Path:
    """A bundle of a model that makes a picture of a picture."""
    pictures = models / "pictures"
    pictures.mkdir()
    for number, picture in enumerate(np.load(models / "mask.npz")["view"]):
        cv2.imwrite(str(pictures / f"{number:02}.png"), picture)
    recipes = [Recipe("tflite", "int8", calibration=12)]
    output = models / "mask.orilla"
    return convert(models / "mask.keras", data=pictures, output=output, recipes=recipes, timing=False).path


def test_a_raw_bundle_is_run_by_its_names(posed: Path, models: Path) -> None:
    samples, answers = np.load(models / "pose.npz"), np.load(models / "pose-answers.npz")
    row = {name: samples[name][:1] for name in ("view", "angles")}
    for artifact in ("tflite", "onnx"):
        with load(posed, artifact=artifact) as model:
            assert model.preprocess is None
            found = model(**row)
            assert list(found.tensors) == ["box", "kind"]
            assert np.abs(found.tensors["kind"] - answers["kind"][:1]).max() < 0.05
            for name, tensor in model(row["angles"], row["view"]).tensors.items():
                assert np.array_equal(tensor, found.tensors[name])
            with pytest.raises(UsageError, match="takes angles, view"):
                model(view=row["view"])
            with pytest.raises(UsageError, match="no class scores"):
                model.scores(row["view"])
    with pytest.raises(UsageError, match="no classifier"):
        load(posed, task="classification")


def test_the_self_test_of_a_raw_bundle(posed: Path, masked: Path) -> None:
    for path, subjects in (
        (posed, ["artifacts/float32.tflite, box", "artifacts/float32.tflite, kind", "artifacts/float32.onnx, box"]),
        (masked, ["preprocess", "artifacts/int8.tflite, mask"]),
    ):
        with open_bundle(path) as bundle:
            bundle.verify()
            checks = self_test(bundle, lambda one, data: judging_engine(one.format).load(data, EngineOptions()))
        assert all(check.passed for check in checks), checks
        assert [check.subject for check in checks][: len(subjects)] == subjects


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `orilla` with these arguments: exit code, standard output, standard error."""

    def invoke(*arguments: str | Path) -> tuple[int, str, str]:
        code = run_command(list(map(str, arguments)))
        return (code, *capsys.readouterr())

    return invoke


def test_a_picture_becomes_a_picture(masked: Path, models: Path, tmp_path: Path, command: Command) -> None:
    frame = cv2.imread(str(models / "pictures" / "00.png"))
    with load(masked) as model:
        assert model.preprocess is not None
        assert model(frame).tensors["mask"].shape == (1, 16, 16, 1)
        assert model.labels == ()
    records = tmp_path / "records.jsonl"
    code, shown, said = command("run", masked, models / "pictures" / "00.png", "--jsonl", records)
    assert code == 0, said
    assert "mask float32[1x16x16x1]" in shown
    assert len(json.loads(records.read_text())["outputs"]["mask"][0]) == 16


def test_the_commands_know_raw_bundles(
    posed: Path, masked: Path, models: Path, tmp_path: Path, command: Command
) -> None:
    code, shown, said = command("info", posed, "--verify")
    assert code == 0, said
    assert "view uint8[1x16x16x3], a picture: 16x16 rgb" in shown
    assert json.loads(command("info", posed, "--json")[1])["features"] == ["raw"]
    code, shown, said = command("benchmark", posed, "--artifact", "tflite", "--rounds", "10", "--threads", "1")
    assert code == 0, said
    for name in ("a", "b"):
        shutil.copytree(models / "pictures", tmp_path / "labelled" / name)
    for arguments, words in (
        (("run", posed, models / "pictures"), "does not take one picture"),
        (("evaluate", masked, tmp_path / "labelled"), "needs labels"),
    ):
        code, _, said = command(*arguments)
        assert code == 2
        assert words in said
    code, _, said = command("export", posed, "--to", tmp_path / "app")
    assert code == 0, said
    description = json.loads((tmp_path / "app" / "preprocess.json").read_text())
    assert list(description["preprocess"]) == ["view"]
    case = json.loads((tmp_path / "app" / "golden.json").read_text())["cases"][0]
    assert (tmp_path / "app" / case["inputs"]["view"]).stat().st_size == 16 * 16 * 3
    assert len(case["outputs"]["box"]) == 4


def test_a_spoiled_artifact_is_refused_with_its_output_named(posed: Path, models: Path, tmp_path: Path) -> None:
    samples, answers = np.load(models / "pose.npz"), np.load(models / "pose-answers.npz")
    ports = Ports(
        (InputPort("angles", (3,)), InputPort("view", (16, 16, 3), Normalization(1 / 127.5, -1.0))),
        (OutputPort("box", (4,)), OutputPort("kind", (5,), softmax=True)),
    )

    def judge(**keras: NDArray[Any]) -> RawVerdict:
        files = [
            {
                name: write_tensors(tmp_path / name, one[:, np.newaxis], one.shape[1:], str(one.dtype))
                for name, one in arrays.items()
            }
            for arrays in (dict(samples), dict(answers) | keras)
        ]
        with open_bundle(posed) as bundle:
            return RawJudge(ports, *files).verdict(Recipe("onnx", "float32"), bundle.read("artifacts/float32.onnx"))

    assert judge().shortcomings == ()
    shifted = judge(box=answers["box"] + np.float32(0.01))
    assert any("'box'" in reason and "SQNR" in reason for reason in shifted.shortcomings)
    assert not any("'kind'" in reason for reason in shifted.shortcomings)
    other = Ports((ports.inputs[1], ports.inputs[0]), ports.outputs)
    with open_bundle(posed) as bundle:
        data = bundle.read("artifacts/float32.onnx")
    (reason,) = RawJudge(other, {}, {}).verdict(Recipe("onnx", "float32"), data).shortcomings
    assert reason.startswith("it takes angles float32[1x3], view uint8[1x16x16x3], not view")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"repair": True, "max_drop": 0.5, "thresholds": [0.4], "report": "page.html"},
            "--repair, --report, --max-drop, --threshold: for classifiers",
        ),
        ({"labels": ["a", "b"]}, "--labels"),
        ({"task": "classification"}, "2 inputs"),
        ({"scale": 2.0, "offset": 0.0}, "rescales every picture itself"),
    ],
)
def test_what_a_raw_conversion_refuses(options: dict[str, Any], words: str, models: Path, tmp_path: Path) -> None:
    given = dict(options)
    if "report" in given:
        given["report"] = tmp_path / given["report"]
    recipes = [Recipe("onnx", "float32")]
    with pytest.raises(OrillaError, match=words):
        convert(models / "pose.keras", data=models / "pose.npz", output=tmp_path / "x.orilla", recipes=recipes, **given)
    assert not list(tmp_path.iterdir())
