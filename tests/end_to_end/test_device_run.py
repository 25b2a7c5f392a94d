"""`orilla run` gives what the bare engine gives on the same files, and says when some could not be read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.bundle.reader import open_bundle


def orilla(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def bare_labels(bundle: Path, artifact: str, pictures: list[Path]) -> list[int]:
    """Class ids by the engine alone; nothing of Orilla but the artifact's bytes and the picture's size."""
    with open_bundle(bundle) as opened:
        model = opened.read(artifact)
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in pictures]
    tensors = [cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA)[None, :, :, None] for grey in greys]
    if artifact.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return [int(np.argmax(session.run(None, {"image": tensor})[0])) for tensor in tensors]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    found = []
    for tensor in tensors:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        found.append(int(np.argmax(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))))
    return found


@pytest.mark.parametrize("artifact", ["float32.tflite", "float16.tflite", "int8.tflite", "float32.onnx", "int8.onnx"])
def test_same_labels_as_the_bare_engine(
    artifact: str, digits_bundle: Path, digits_folder: Path, tmp_path: Path
) -> None:
    pictures = [path for digit in "0123456789" for path in sorted((digits_folder / digit).glob("*.png"))[:12]]
    output = tmp_path / "out.jsonl"
    done = orilla("run", digits_bundle, *pictures, "--artifact", artifact, "--jsonl", output, "--quiet")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["source"] for line in lines] == [str(path) for path in pictures]
    found = [line["predictions"][0]["class_id"] for line in lines]
    assert found == bare_labels(digits_bundle, f"artifacts/{artifact}", pictures)


def test_every_artifact_passes_the_promise(digits_bundle: Path) -> None:
    with open_bundle(digits_bundle) as opened:
        artifacts = opened.manifest.artifacts
    accuracy = {}
    for artifact in artifacts:
        assert artifact.metrics is not None
        assert artifact.metrics.accuracy is not None
        accuracy[artifact.format, artifact.precision] = artifact.metrics.accuracy.top1
    assert len(accuracy) == 6
    assert min(accuracy.values()) >= 0.97
    for format_ in ("tflite", "onnx"):
        assert accuracy[format_, "int8"] >= accuracy[format_, "float32"] - 0.01


def test_odd_files_and_videos_end_well(digits_bundle: Path, unzipped: Callable[[str], Path], tmp_path: Path) -> None:
    """Every file gives a result or a counted error, and the exit code says that some failed."""
    pictures, videos = unzipped("odd_images.zip") / "files", unzipped("video.zip")
    output = tmp_path / "out.jsonl"
    clips = sorted(path for path in videos.iterdir() if path.suffix in {".mp4", ".avi", ".mkv", ".webm"})
    done = orilla("run", digits_bundle, pictures, *clips, "--jsonl", output, "--quiet")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    seen = {Path(line["source"]).name for line in lines}
    assert {clip.name for clip in clips} <= seen
    failed = [line for line in lines if "error" in line]
    assert f"{len(failed)} of {len(lines)} pictures could not be read" in done.stderr
    assert {"truncated_60.jpg", "bomb_30000x30000.png", "empty.mp4", "text.mp4"} <= {
        Path(line["source"]).name for line in failed
    }
    assert all(line["predictions"] for line in lines if "error" not in line)
