"""samples/05_own_engine, really installed into a folder: found by its entry point, and it runs a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.conftest import REPOSITORY
from tests.runtime.small_models import LABELS, onnx_colours, picture

SAMPLE = REPOSITORY / "samples" / "05_own_engine"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with what pip makes of the sample: its module, and its entry point in the dist-info."""
    folder = tmp_path_factory.mktemp("own-engine")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--target", folder, SAMPLE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def orilla(installed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(installed), *sys.path])
    command = [sys.executable, "-c", "from orilla.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_it_is_found_and_runs_a_model(installed: Path, tmp_path: Path) -> None:
    found = json.loads(orilla(installed, "doctor", "--json").stdout)
    assert found["engines"]["numpy"]["devices"] == ["cpu"]

    (tmp_path / "colours.onnx").write_bytes(onnx_colours())
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    cv2.imwrite(str(tmp_path / "p.png"), picture(3))
    command = ("run", tmp_path / "colours.onnx", tmp_path / "p.png", "--labels", tmp_path / "names.txt", "--jsonl", "-")
    lines = {}
    for engine in ("numpy", "onnxruntime"):
        done = orilla(installed, *command, "--engine", engine, "--quiet")
        assert done.returncode == 0, done.stderr
        lines[engine] = json.loads(done.stdout)
        assert lines[engine]["engine"] == f"{engine}/cpu"
    for own, theirs in zip(*(lines[engine]["predictions"] for engine in lines), strict=True):
        assert own["label"] == theirs["label"]
        assert own["score"] == pytest.approx(theirs["score"], abs=1e-4)


def test_it_refuses_in_orillas_words(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(
        onnx_colours().replace(b"ReduceMean", b"ReduceXean")  # an operator that nobody has
    )
    (tmp_path / "colours.onnx").write_bytes(onnx_colours())
    cv2.imwrite(str(tmp_path / "p.png"), picture(3))
    names = ("--labels", tmp_path / "names.txt")
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    for arguments, words in (
        (("colours.onnx", "--device", "npu"), "no device 'npu'"),
        (("other.onnx",), "does not know ReduceXean"),
    ):
        model, *options = arguments
        done = orilla(installed, "run", tmp_path / model, tmp_path / "p.png", "--engine", "numpy", *options, *names)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
