"""What is imported when: the device's path knows no training framework, and the command's frame knows nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DESK = {"tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "matplotlib"}
HEAVY = DESK | {"numpy", "cv2", "onnxruntime", "ai_edge_litert"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has imported after `code`."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_orilla_is_light() -> None:
    assert not modules_after("import orilla") & HEAVY


def test_import_runtime_is_light() -> None:
    assert not modules_after("import orilla_runtime") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["train", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    code = f"from orilla.cli import run\nassert run({arguments!r}) == 0"
    assert not modules_after(code) & HEAVY


def test_a_run_on_the_device_path_needs_no_desk(shared_data: Path, unzipped: Callable[[str], Path]) -> None:
    model = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    picture = unzipped("odd_images.zip") / "files" / "photo_ok.jpg"
    code = f"from orilla.cli import run\nassert run(['run', {str(model)!r}, {str(picture)!r}]) == 0"
    modules = modules_after(code)
    assert not modules & DESK
    assert {"cv2", "ai_edge_litert"} <= modules
