"""`orilla doctor` says what works, and its JSON holds no folder of yours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def doctor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", "doctor", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def test_what_works_here() -> None:
    done = doctor()
    assert done.returncode == 0, done.stderr
    for line in ("ok  litert", "ok  onnxruntime", "ok  openvino", "ok  opencv", "ok  desk", "cameras", "untested"):
        assert line in done.stdout
    assert "ran a model on cpu" in done.stdout


def test_json_for_a_bug_report() -> None:
    done = doctor("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["engines"]["litert"]["devices"] == ["cpu"]
    assert found["engines"]["openvino"]["devices"][0] == "cpu"
    assert found["processor"]
    assert all(isinstance(name, str) for name in found["cpu_features"])
    providers = {entry["device"]: entry for entry in found["providers"]}
    assert providers["cpu"]["tested"]
    assert providers["cpu"]["ran_a_model"]
    assert not providers["qnn"]["tested"]
    assert providers["qnn"]["package"] == "onnxruntime-qnn"
    assert found["engines"]["onnxruntime"]["version"]
    assert found["usable_cpus"] >= 1
    assert found["desk"]["tensorflow"]
    assert str(Path.home()) not in done.stdout


def test_what_an_engine_says_is_told_without_folders_and_passwords(tmp_path: Path) -> None:
    home = tmp_path / "home" / "maria"
    broken = home / "site" / "onnxruntime"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(
        "raise ImportError(f'{__file__}: cannot be loaded, see https://maria:geheim@example.org/x')\n"
    )
    path = os.pathsep.join([str(broken.parent), *sys.path])
    found = json.loads(doctor("--json", HOME=str(home), PYTHONPATH=path).stdout)
    reason = found["engines"]["onnxruntime"]["reason"]
    assert "~/site/onnxruntime/__init__.py: cannot be loaded" in reason
    assert "example.org" in reason
    assert "geheim" not in json.dumps(found)
    assert str(home) not in json.dumps(found)


def test_two_opencv_wheels_are_named(tmp_path: Path) -> None:
    for name in ("opencv_python", "opencv_contrib_python_headless"):
        info = tmp_path / f"{name}-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 9.9\n")
    done = doctor(PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.returncode == 1
    assert "overwrite each other: keep one of them" in done.stdout
