"""The device's environments, each bare: one extra from its lock, no desk, and a bundle that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

DESK = ("tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "matplotlib")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module", params=[("litert", "tflite"), ("onnx", "onnx")], ids=["litert", "onnx"])
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bare virtual environment with one extra, and the format that it runs."""
    extra, format_ = request.param
    folder = tmp_path_factory.mktemp(f"device-{extra}")
    assert run(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    locked = run(*pip, "--require-hashes", "-r", REPOSITORY / "locks" / f"{extra}.txt", cwd=folder)
    assert locked.returncode == 0, locked.stderr
    # With everything in place this finds nothing more to install than Orilla itself.
    installed = run(*pip, f"{REPOSITORY}[{extra}]", cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "venv" / "bin", format_


def test_the_bundle_runs(device: tuple[Path, str], digits_bundle: Path, digits_folder: Path, tmp_path: Path) -> None:
    binaries, format_ = device
    listed = run(binaries / "python", "-m", "pip", "list", "--format=json", cwd=tmp_path)
    packages = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert not packages & set(DESK)

    pictures = sorted((digits_folder / "3").glob("*.png"))[:20]
    done = run(binaries / "orilla", "run", digits_bundle, *pictures, "--jsonl", "-", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(pictures)
    assert all(line["artifact"].endswith(f".{format_}") for line in lines)
    assert sum(line["predictions"][0]["label"] == "3" for line in lines) >= 19


def test_the_bundle_verifies(device: tuple[Path, str], digits_bundle: Path, tmp_path: Path) -> None:
    binaries, format_ = device
    done = run(binaries / "orilla", "info", digits_bundle, "--verify", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verified = json.loads(done.stdout)["verify"]
    assert verified["passed"]
    ran = {check["subject"] for check in verified["checks"]}
    assert {f"artifacts/{precision}.{format_}" for precision in ("float32", "float16", "int8")} <= ran
    assert len(verified["not_run"]) == 3


def test_evaluate_needs_no_desk(
    device: tuple[Path, str], digits_bundle: Path, digits_folder: Path, tmp_path: Path
) -> None:
    binaries, format_ = device
    rows = ["path,label"]
    rows += [f"{path},{label}" for label in "0123456789" for path in sorted((digits_folder / label).glob("*.png"))[:5]]
    (tmp_path / "some.csv").write_text("\n".join(rows))
    done = run(binaries / "orilla", "evaluate", digits_bundle, tmp_path / "some.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    judged = json.loads(done.stdout)
    assert {entry["format"] for entry in judged} == {format_}
    assert all(entry["n"] == 50 and entry["top1"] >= 0.94 for entry in judged)


@pytest.mark.parametrize("command", ["train", "convert"])
def test_the_desk_is_named_where_it_is_missing(
    device: tuple[Path, str], command: str, digits_folder: Path, tmp_path: Path, digits_model: Path
) -> None:
    binaries, _ = device
    arguments = {
        "train": ["train", digits_folder, "--output", tmp_path / "a.keras"],
        "convert": ["convert", digits_model, "--data", digits_folder, "--output", tmp_path / "a.orilla"],
    }[command]
    done = run(binaries / "orilla", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install 'orilla[desk]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_locks_name_no_index() -> None:
    for lock in (REPOSITORY / "locks").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--hash=sha256:" in text
