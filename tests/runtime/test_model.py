"""`load` and what it returns: bundles and bare files, one thread and many, good files and wrong ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from orilla_runtime.bundle.manifest import Artifact, Manifest, TaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import BundleError, EngineError, ModelError, OrillaError, SourceError, UsageError
from orilla_runtime.model import Model, load
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import Quantization, TensorSpec
from tests.runtime.small_models import LABELS, SIZE, onnx_colours, picture, tflite_colours

FILES = {"tflite": tflite_colours(), "onnx": onnx_colours()}
COLOURS = {"labels": LABELS}


@pytest.fixture
def bare(tmp_path: Path) -> Callable[[str], Path]:
    def write(kind: str, data: bytes | None = None) -> Path:
        path = tmp_path / f"colours.{kind}"
        path.write_bytes(FILES[kind] if data is None else data)
        return path

    return write


def artifact(kind: str, data: bytes, **changed: Any) -> Artifact:
    session = engine_for(kind).load(data, EngineOptions())
    known = {"inputs": session.inputs, "outputs": session.outputs, **changed}
    return Artifact(path=f"artifacts/colours.{kind}", format=kind, precision="float32", recipe=kind, **known)


def bundled(
    path: Path, *artifacts: Artifact, preprocess: Preprocess | None = None, output: str = "probabilities"
) -> str:
    manifest = Manifest(
        name="colours",
        created_by="a test",
        task=TaskInfo("classification", LABELS),
        preprocess=Preprocess(SIZE),
        artifacts=artifacts,
        defaults={one.format: one.path for one in artifacts},
        files=(),
    )
    return write_bundle(path, manifest, {one.path: FILES[one.format] for one in artifacts})


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "colours.orilla"
    return path, bundled(path, *(artifact(kind, data) for kind, data in FILES.items()))


def scores_by_hand(model: Model, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    assert model.preprocess is not None
    means = model.preprocess(image).astype(np.float64).reshape(-1, 3).mean(axis=0)
    powers = np.exp(means - means.max())
    return np.asarray(powers / powers.sum())


@pytest.mark.parametrize("kind", FILES)
def test_a_bare_model_classifies(bare: Callable[[str], Path], kind: str) -> None:
    with load(bare(kind), **COLOURS, top=2) as model:
        for seed in range(5):
            image = picture(seed)
            result = model(image)
            expected = scores_by_hand(model, image)
            assert len(result.predictions) == 2
            assert result.top.class_id == int(np.argmax(expected))
            assert result.top.label == LABELS[result.top.class_id]
            assert result.top.score == pytest.approx(expected.max(), abs=1e-4)
        assert (model.format, model.artifact, model.precision) == (kind, f"colours.{kind}", None)
        assert (model.bundle, model.bundle_id, model.labels) == (None, None, LABELS)
        assert model.engine == {"tflite": "litert/cpu", "onnx": "onnxruntime/cpu"}[kind]


def test_a_bundle_classifies(bundle: tuple[Path, str]) -> None:
    path, id_ = bundle
    found = []
    for wanted in (None, "artifacts/colours.onnx", "colours.tflite", "onnx:float32"):
        with load(str(path), artifact=wanted, expected_id=id_) as model:
            assert model.bundle_id == id_
            assert model.labels == LABELS
            assert model.precision == "float32"
            result, timing = model.process(picture(1))
            assert result.top.score == pytest.approx(scores_by_hand(model, picture(1)).max(), abs=1e-4)
            assert timing.decode == 0.0
            assert min(timing.preprocess, timing.infer, timing.postprocess) >= 0.0
            assert model.preprocess is not None
            scores = model.scores(model.preprocess(picture(1)))
            assert scores.dtype == np.float32
            assert scores.shape == (3,)
            assert float(scores[result.top.class_id]) == result.top.score
            found.append(model.artifact)
    assert found == [f"artifacts/colours.{kind}" for kind in ("tflite", "onnx", "tflite", "onnx")]


def test_an_engine_chooses_its_artifact(bundle: tuple[Path, str]) -> None:
    for engine, artifact in (("onnxruntime", "artifacts/colours.onnx"), ("litert", "artifacts/colours.tflite")):
        with load(bundle[0], engine=engine) as model:
            assert (model.artifact, model.engine) == (artifact, f"{engine}/cpu")
    with pytest.raises(UsageError, match="litert does not run onnx"):
        load(bundle[0], artifact="colours.onnx", engine="litert")


def test_a_bundle_opens_with_the_engine_that_is_there(bundle: tuple[Path, str]) -> None:
    program = f"""
import sys
sys.modules["HIDDEN"] = None
from orilla_runtime import load
from orilla_runtime.errors import EngineError
try:
    print(load({str(bundle[0])!r}).engine)
    print(load({str(bundle[0])!r}, engine="HIDES").engine)
except EngineError as error:
    print(error.message)
"""
    for hidden, name, left, label in (
        ("ai_edge_litert", "litert", "onnxruntime/cpu", "LiteRT"),
        ("onnxruntime", "onnxruntime", "litert/cpu", "ONNX Runtime"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program.replace("HIDDEN", hidden).replace("HIDES", name)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
        first, second = done.stdout.splitlines()
        assert first == left
        assert second.startswith(f"{label} is not installed")


def test_the_artifact_must_be_what_the_manifest_promises(tmp_path: Path) -> None:
    for changed in (
        {"inputs": (TensorSpec("other", (1, *SIZE, 3), "uint8"),)},
        {"outputs": (TensorSpec("other", (1, 3), "float32"),)},
        {"outputs": (TensorSpec("scores", (1, 3), "uint8", Quantization(1 / 256, 0)),)},
    ):
        path = tmp_path / "wrong.orilla"
        bundled(path, artifact("tflite", FILES["tflite"], **changed))
        with pytest.raises(BundleError) as caught:
            load(path)
        assert caught.value.fault == "wrong-tensor"
        assert "wrong.orilla" in caught.value.message


def test_a_bundle_says_everything_itself(bundle: tuple[Path, str]) -> None:
    for options in ({"labels": LABELS}, {"mean": [0], "std": [1]}, {"fit": "crop"}, {"signature": "a"}):
        with pytest.raises(UsageError, match="says these itself"):
            load(bundle[0], **options)  # type: ignore[arg-type]
    with pytest.raises(BundleError) as caught:
        load(bundle[0], expected_id="0" * 64)
    assert caught.value.fault == "wrong-id"
    with pytest.raises(UsageError, match="no artifact"):
        load(bundle[0], artifact="none.tflite")


def test_a_bare_model_has_no_artifacts_and_no_id(bare: Callable[[str], Path]) -> None:
    for options in ({"artifact": "x.tflite"}, {"expected_id": "0" * 64}):
        with pytest.raises(UsageError, match="is no bundle"):
            load(bare("tflite"), **COLOURS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"top": 0}, {"top": 2.5}, {"task": "detection"}, {"threads": 0}])
def test_impossible_options(bare: Callable[[str], Path], options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        load(bare("tflite"), **COLOURS, **options)


def test_more_classes_than_there_are(bare: Callable[[str], Path]) -> None:
    assert len(load(bare("onnx"), **COLOURS, top=99)(picture(0)).predictions) == 3


def test_a_named_device_is_never_replaced(bare: Callable[[str], Path], bundle: tuple[Path, str]) -> None:
    for path, options in ((bare("tflite"), COLOURS), (bare("onnx"), COLOURS), (bundle[0], {})):
        with pytest.raises(EngineError, match="tpu"):
            load(path, device="tpu", **options)  # type: ignore[arg-type]


def test_wrong_files(tmp_path: Path) -> None:
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "text.onnx").write_text("this is a text")
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    (tmp_path / "cut.tflite").write_bytes(FILES["tflite"][:200])
    (tmp_path / "cut.onnx").write_bytes(FILES["onnx"][:100])
    for name, words in (
        ("missing.tflite", "no such file"),
        ("missing.orilla", "no such file"),
        ("folder.tflite", "is a folder"),
        ("saved", "SavedModel"),
        ("empty.tflite", "is empty"),
        ("text.onnx", "damaged or cut"),
        ("model.keras", "Keras model"),
        ("cut.tflite", "damaged or cut"),
        ("cut.onnx", "damaged or cut"),
    ):
        with pytest.raises(OrillaError, match=words) as caught:
            load(tmp_path / name)
        assert name in caught.value.message
        assert caught.value.remedy
        assert "\n" not in caught.value.message
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "model.keras")
    assert "orilla convert model.keras" in caught.value.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(ModelError, match="pipe"):
        load(tmp_path / "pipe.tflite")


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "colours.tflite"
    path.write_bytes(FILES["onnx"])
    assert load(path, **COLOURS).engine == "onnxruntime/cpu"


def test_names_out_of_the_file_do_not_steer_the_terminal(bare: Callable[..., Path]) -> None:
    path = bare("onnx", onnx_colours().replace(b"image", b"i\x1b[2J"))
    with pytest.raises(ModelError) as caught:
        load(bare("onnx", path.read_bytes().replace(b"ReduceMean", b"\x1b]0;fooXYZ")), **COLOURS)
    assert "\x1b" not in str(caught.value)


def test_wrong_pictures(bare: Callable[[str], Path]) -> None:
    model = load(bare("tflite"), **COLOURS)
    for wrong in (np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 2), np.uint8)):
        with pytest.raises(SourceError):
            model(wrong)
    with pytest.raises(SourceError):
        model("photo.jpg")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="one picture at a time"):
        model(picture(0), picture(1))
    grey = picture(0)[:, :, 0]
    assert model(grey).predictions == model(np.dstack([grey] * 3)).predictions


def test_logits_become_probabilities(bare: Callable[..., Path]) -> None:
    image = picture(3)
    for kind, data in (("tflite", tflite_colours(softmax=False)), ("onnx", onnx_colours(softmax=False))):
        model = load(bare(kind, data), **COLOURS)
        assert model.task.output == "logits"  # type: ignore[union-attr]
        assert model(image).top.score == pytest.approx(scores_by_hand(model, image).max(), abs=1e-4)
    said = load(bare("onnx", onnx_colours(softmax=False)), **COLOURS, output="probabilities")
    assert said(image).top.score > 50


def test_float_planes(bare: Callable[..., Path]) -> None:
    path = bare("onnx", onnx_colours(dtype=TensorProto.FLOAT, layout="NCHW"))
    with pytest.raises(ModelError, match="range of its pixels"):
        load(path, **COLOURS)
    model = load(path, **COLOURS, mean=[10.0, 20.0, 30.0], std=[2.0, 4.0, 8.0], channels="bgr")
    assert model.preprocess is not None
    pixels = Preprocess(SIZE, channels="bgr")(picture(0)).astype(np.float64)
    expected = ((pixels - [10, 20, 30]) / [2, 4, 8]).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(model.preprocess(picture(0)), expected, rtol=1e-5)


def test_open_batch(bare: Callable[..., Path]) -> None:
    for kind, data in (("tflite", tflite_colours(batch=None)), ("onnx", onnx_colours(batch="n"))):
        model = load(bare(kind, data), **COLOURS)
        assert model(picture(2)).top.score == pytest.approx(scores_by_hand(model, picture(2)).max(), abs=1e-4)


def test_raw_passes_tensors(bare: Callable[[str], Path], bundle: tuple[Path, str]) -> None:
    tensor = np.random.default_rng(0).integers(100, 104, (1, *SIZE, 3)).astype(np.uint8)
    for path in (bare("tflite"), bare("onnx"), bundle[0]):
        with load(path, task="raw") as model:
            assert (model.labels, model.preprocess) == ((), None)
            found = model(tensor).tensors
            assert list(found) == ["scores"]
            assert found["scores"].shape == (1, 3)
            with pytest.raises(UsageError, match="1 tensor"):
                model()
            with pytest.raises(UsageError, match="no class scores"):
                model.scores(tensor)


def test_threads_share_one_model(bundle: tuple[Path, str], bare: Callable[[str], Path]) -> None:
    images = [picture(seed, (20 + 7 * seed, 90 - 2 * seed)) for seed in range(24)]
    for model in (load(bundle[0], threads=1), load(bare("onnx"), **COLOURS)):
        serial = [model(image) for image in images]
        start = threading.Barrier(8)

        def work(number: int, model: Model = model, start: threading.Barrier = start) -> list[Any]:
            start.wait()
            order = np.roll(np.arange(len(images)), number)
            return [(int(index), model(images[index])) for index in order]

        with ThreadPoolExecutor(8) as pool:
            for results in pool.map(work, range(8)):
                assert all(result == serial[index] for index, result in results)


def test_a_closed_model_says_so(bundle: tuple[Path, str], bare: Callable[[str], Path]) -> None:
    for model in (load(bundle[0]), load(bare("tflite"), **COLOURS)):
        model.close()
        model.close()
        for call in (lambda model=model: model(picture(0)), lambda model=model: model.scores(np.zeros(1))):
            with pytest.raises(UsageError, match="was closed"):
                call()


def test_the_package_opens_its_doors_late() -> None:
    program = """
import sys
import orilla_runtime
assert not {"cv2", "numpy", "onnxruntime", "ai_edge_litert"} & set(sys.modules), "imported too early"
assert "load" in dir(orilla_runtime)
try:
    orilla_runtime.nothing
except AttributeError as error:
    print(error)
orilla_runtime.load
assert not {"onnxruntime", "ai_edge_litert", "tensorflow", "onnx"} & set(sys.modules), "imported too early"
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert done.stdout == "module 'orilla_runtime' has no attribute 'nothing'\n"
