"""The programs of docs/mobile.md: what the page shows is what runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from orilla_runtime.bundle.export import export_artifact
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.model import load
from tests.conftest import REPOSITORY

SAMPLE = REPOSITORY / "samples" / "03_web_check"
PAGE = (REPOSITORY / "docs" / "mobile.md").read_text("utf-8")


def test_the_page_shows_the_program_that_runs() -> None:
    (shown,) = re.findall(r"```javascript\n(.*?)```", PAGE, re.DOTALL)
    assert shown == (SAMPLE / "check.mjs").read_text("utf-8")


def test_the_page_and_the_programs_know_the_files(digits_bundle: Path, tmp_path: Path) -> None:
    with open_bundle(digits_bundle) as bundle:
        done = export_artifact(bundle, tmp_path / "app")
    assert all(name in PAGE for name in done.files if not re.search(r"-[1-9]", name))
    plan, golden = (json.loads((tmp_path / "app" / f"{name}.json").read_text()) for name in ("preprocess", "golden"))
    assert {"model", "inputs", "outputs", "labels", "fit", "crop_fraction", "pad", "scale", "offset"} <= set(plan)
    assert {"cases", "tolerance", "picture"} <= set(golden)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with its pinned package, as npm installs it."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("web") / "check"
    shutil.copytree(SAMPLE, folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    subprocess.run(install, cwd=folder, check=True, timeout=600)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_onnxruntime_web_gives_the_same_numbers(precision: str, web: Path, digits_bundle: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    with open_bundle(digits_bundle) as bundle:
        done = export_artifact(bundle, app, f"onnx:{precision}")
    ran = subprocess.run(["node", "node.mjs", app], cwd=web, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["checked"] == done.golden == 4
    golden = json.loads((app / "golden.json").read_text())
    with load(app / "model.onnx") as model:
        shape = model.session.inputs[0].shape
        for case, best in zip(golden["cases"], found["best"], strict=True):
            scores = model.scores(np.fromfile(app / case["input"], np.uint8).reshape([side or 1 for side in shape]))
            assert best["class_id"] == scores.argmax()
            assert best["label"] == model.labels[best["class_id"]]
            assert best["score"] == pytest.approx(scores.max(), abs=golden["tolerance"])


@pytest.mark.slow
def test_a_model_that_gives_something_else_is_refused(web: Path, digits_bundle: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    with open_bundle(digits_bundle) as bundle:
        export_artifact(bundle, app, "onnx:int8")
    golden = json.loads((app / "golden.json").read_text())
    golden["cases"][2]["output"].reverse()
    (app / "golden.json").write_text(json.dumps(golden))
    ran = subprocess.run(["node", "node.mjs", app], cwd=web, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1
    assert "golden/input-2.bin: differs by" in ran.stderr
