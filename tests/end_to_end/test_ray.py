"""A Predictor in a real Ray on this machine: the labels and scores of `run`, and a row for what is no picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import orilla
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def ray_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with Ray, LiteRT and Orilla; `ORILLA_RAY_PYTHON` names one that is there already."""
    if given := os.environ.get("ORILLA_RAY_PYTHON"):
        return Path(given)
    folder = tmp_path_factory.mktemp("ray")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{REPOSITORY}[litert,ray]"], check=True)
    return python


@pytest.mark.slow
def test_ray_gives_what_run_gives(
    ray_python: Path, shared_data: Path, unzipped: Callable[[str], Path], tmp_path: Path
) -> None:
    model = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    folder = tmp_path / "photos"
    folder.mkdir()
    for place, photo in enumerate(sorted(unzipped("imagenet_samples_256.zip").rglob("*.jp*g"))[:40]):
        (folder / f"{place:03d}.jpg").write_bytes(photo.read_bytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    job = REPOSITORY / "tests" / "end_to_end" / "ray_job.py"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    clean["RAY_raylet_start_wait_time_s"] = "300"  # on a busy machine its processes take long to start
    result = tmp_path / "ray.json"
    command = [ray_python, job, model, folder, result]
    done = subprocess.run(command, env=clean, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(result.read_text(encoding="utf-8"))

    expected = {Path(frame.source).name: result.top for frame, result in orilla.run(model, folder, top=1)}
    assert len(expected) == 40
    for rows in found.values():
        assert len(rows) == 41
        by_name = {Path(row["path"]).name: row for row in rows}
        assert by_name["broken.jpg"]["label"] == ""
        assert by_name["broken.jpg"]["error"] != ""
        for name, top in expected.items():
            assert by_name[name]["label"] == top.label
            assert by_name[name]["score"] == pytest.approx(top.score, abs=1e-6)
