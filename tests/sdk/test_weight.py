"""What is imported when: the device's path knows no training framework, and the command's frame knows nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orilla_runtime.bundle.manifest import Artifact, Manifest, TaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.preprocess import Preprocess

DESK = {"tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "matplotlib"}
# What one picture does not need; each costs a part of the time to the first result.
NEEDLESS = {
    "email",
    "importlib.metadata",
    "importlib.resources",
    "logging",
    "subprocess",
    "tempfile",
    "tomllib",
    "zipfile",
}
HEAVY = DESK | {"numpy", "cv2", "onnxruntime", "ai_edge_litert"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has imported after `code`."""
    return {name.partition(".")[0] for name in every_module_after(code)}


def every_module_after(code: str) -> set[str]:
    """The modules by their whole names."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_orilla_is_light() -> None:
    assert not modules_after("import orilla") & HEAVY


def test_import_runtime_is_light() -> None:
    assert not modules_after("import orilla_runtime") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["train", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    code = f"from orilla.cli import invoke as run\nassert run({arguments!r}) == 0"
    assert not modules_after(code) & HEAVY


def test_a_run_on_the_device_path_needs_no_desk(shared_data: Path, unzipped: Callable[[str], Path]) -> None:
    model = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    picture = unzipped("odd_images.zip") / "files" / "photo_ok.jpg"
    code = f"from orilla.cli import invoke as run\nassert run(['run', {str(model)!r}, {str(picture)!r}]) == 0"
    modules = modules_after(code)
    assert not modules & DESK
    assert {"cv2", "ai_edge_litert"} <= modules


@pytest.fixture(scope="module")
def small_bundle(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = (shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite").read_bytes()
    session = LiteRT().load(data, EngineOptions(threads=1))
    path = "artifacts/small.tflite"
    manifest = Manifest(
        name="small",
        created_by="a test",
        task=TaskInfo("classification", tuple(f"class {number}" for number in range(1001))),
        preprocess=Preprocess((224, 224)),
        artifacts=(Artifact(path, "tflite", "int8", session.inputs, session.outputs, recipe="tflite:int8"),),
        defaults={"tflite": path},
        files=(),
    )
    bundle = tmp_path_factory.mktemp("weight") / "small.orilla"
    write_bundle(bundle, manifest, {path: data})
    return bundle


def test_one_picture_imports_nothing_needless(small_bundle: Path, unzipped: Callable[[str], Path]) -> None:
    picture = unzipped("odd_images.zip") / "files" / "photo_ok.jpg"
    program = (
        "import orilla\nfrom orilla_runtime.sources.picture import read_picture\n"
        f"orilla.load({str(small_bundle)!r})(read_picture({str(picture)!r}))"
    )
    before = every_module_after("import cv2, numpy, ai_edge_litert.interpreter")
    added = every_module_after(program) - before
    assert not added & NEEDLESS
    others = {"onnxruntime", "openvino", "measuring", "raw_manifest", "tflite_metadata", "pipeline"}
    assert not {name for name in added if name.rpartition(".")[2] in others}


def test_orilla_run_on_one_picture_imports_nothing_needless(
    small_bundle: Path, unzipped: Callable[[str], Path]
) -> None:
    picture = unzipped("odd_images.zip") / "files" / "photo_ok.jpg"
    code = f"from orilla.cli import invoke as run\nassert run(['run', {str(small_bundle)!r}, {str(picture)!r}]) == 0"
    added = every_module_after(code) - every_module_after("import cv2, numpy, ai_edge_litert.interpreter")
    # The command's lines of warnings come through `logging`.
    assert not added & (NEEDLESS - {"logging"})
    assert "orilla_runtime.sources.camera" not in added
    assert "orilla_runtime.sources.video" not in added
