"""Bad input to every command: one or two lines that name the file and say what to do, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

ORILLA = [sys.executable, "-c", "from orilla.cli import main; main()"]


def orilla(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*ORILLA, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def assert_refused(done: subprocess.CompletedProcess[str], *mentioned: str, code: int = 1) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    for text in mentioned:
        assert text in done.stderr
    # In a pipe, progress is plain lines before the error; click's own usage errors point to --help in more lines.
    lines = [line for line in done.stderr[done.stderr.rfind("error: ") :].splitlines() if line.strip()]
    assert 1 <= len(lines) <= (2 if code == 1 else 4), done.stderr


def pictures(folder: Path, *classes: str, count: int = 4) -> Path:
    random = np.random.default_rng(0)
    for label in classes:
        (folder / label).mkdir(parents=True)
        for index in range(count):
            noise = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            (folder / label / f"{index}.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    return folder


def arguments_for(command: str, model: Path, data: Path, output: Path) -> list[str | Path]:
    return {
        "train": ["train", data, "--output", output / "out.keras"],
        "convert": ["convert", model, "--data", data, "--output", output / "out.orilla"],
        "evaluate": ["evaluate", model, data],
        "run": ["run", model, data, "--jsonl", output / "out.jsonl"],
    }[command]


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """A folder that must be as empty after the command as before."""
    folder = tmp_path / "output"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())


MODEL_OF = {"train": "digits_model", "convert": "digits_model", "evaluate": "digits_bundle", "run": "digits_bundle"}


@pytest.fixture(params=MODEL_OF)
def command(request: pytest.FixtureRequest) -> tuple[str, Path]:
    return request.param, request.getfixturevalue(MODEL_OF[request.param])


def test_no_such_data(command: tuple[str, Path], output: Path, tmp_path: Path) -> None:
    name, model = command
    done = orilla(*arguments_for(name, model, tmp_path / "nowhere", output))
    assert_refused(done, "nowhere")


def test_an_empty_folder(command: tuple[str, Path], output: Path, tmp_path: Path) -> None:
    name, model = command
    (tmp_path / "empty").mkdir()
    assert_refused(orilla(*arguments_for(name, model, tmp_path / "empty", output)), "empty")


@pytest.mark.parametrize("name", ["convert", "evaluate", "run", "benchmark", "info"])
def test_no_such_model(name: str, output: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "0", "1")
    arguments = {"benchmark": ["benchmark", "gone.orilla"], "info": ["info", "gone.orilla"]}.get(name)
    done = orilla(*(arguments or arguments_for(name, Path("gone.orilla"), data, output)))
    assert_refused(done, "gone.orilla")


@pytest.mark.parametrize("name", ["convert", "evaluate", "run", "benchmark", "info"])
@pytest.mark.parametrize("suffix", [".orilla", ".tflite", ".onnx", ".keras", ".txt"])
def test_a_model_that_is_none(name: str, suffix: str, output: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "0", "1")
    model = tmp_path / f"model{suffix}"
    model.write_text("this is not a model\n" * 50)
    arguments = {"benchmark": ["benchmark", model], "info": ["info", model]}.get(name)
    assert_refused(orilla(*(arguments or arguments_for(name, model, data, output))), f"model{suffix}")


def test_training_on_one_class(output: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "only")
    assert_refused(orilla("train", data, "--output", output / "a.keras"), "class")


def test_training_on_an_unreadable_picture(output: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "a", "b", count=8)
    (data / "a" / "3.png").write_bytes(b"not a picture")
    assert_refused(orilla("train", data, "--output", output / "a.keras"), "3.png")


@pytest.mark.parametrize("name", ["convert", "evaluate"])
def test_labels_that_do_not_match(
    name: str, digits_model: Path, digits_bundle: Path, output: Path, tmp_path: Path
) -> None:
    data = pictures(tmp_path / "data", "cat", "dog", count=8)
    model = digits_model if name == "convert" else digits_bundle
    assert_refused(orilla(*arguments_for(name, model, data, output)), "cat")


@pytest.mark.parametrize(
    ("name", "wrong"), [("train", "model.onnx"), ("convert", "bundle.zip")], ids=["train", "convert"]
)
def test_a_wrong_extension(name: str, wrong: str, digits_model: Path, output: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "0", "1", count=8)
    arguments = arguments_for(name, digits_model, data, output)
    arguments[-1] = output / wrong
    done = orilla(*arguments)
    assert_refused(done, wrong, code=2)


@pytest.mark.parametrize("name", ["train", "convert", "run"])
def test_no_folder_to_write_to(name: str, digits_model: Path, digits_bundle: Path, digits_folder: Path) -> None:
    model = digits_bundle if name == "run" else digits_model
    done = orilla(*arguments_for(name, model, digits_folder, Path("no/such/folder")))
    assert_refused(done, "no/such/folder")


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 kB, less than a bundle of digits or the lines of 1,797 pictures; or as a test asks for."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={getattr(request, 'param', '32k')}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_while_converting(digits_model: Path, digits_folder: Path, small_disk: Path) -> None:
    arguments = ["--format", "tflite", "--precision", "float32", "--quiet"]
    done = orilla(*arguments_for("convert", digits_model, digits_folder, small_disk), *arguments)
    assert_refused(done, "out.orilla")
    assert not list(small_disk.iterdir())


# What is refused before the work: less than the model. What is found when the first epoch ends: less than a checkpoint.
@pytest.mark.parametrize(
    ("small_disk", "named"), [("32k", "out.keras"), ("1m", "checkpoint.npz")], indirect=["small_disk"]
)
def test_a_full_disk_while_training(named: str, small_disk: Path, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", "a", "b", count=8)
    done = orilla(*arguments_for("train", Path(), data, small_disk), "--epochs", "2")
    assert_refused(done, named)
    assert not [path for path in small_disk.rglob("*") if path.suffix in {".keras", ".npz"} or ".part" in path.name]


def test_a_full_disk_while_running(digits_bundle: Path, digits_folder: Path, small_disk: Path) -> None:
    done = orilla("run", digits_bundle, digits_folder, "--jsonl", small_disk / "out.jsonl", "--quiet")
    assert done.returncode == 1
    assert "out.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    text = (small_disk / "out.jsonl").read_text()
    assert text == "" or text.endswith("}\n")


@pytest.mark.parametrize(
    ("name", "number"), [("train", signal.SIGTERM), ("train", signal.SIGHUP), ("convert", signal.SIGINT)]
)
def test_an_interruption_leaves_nothing(
    name: str, number: signal.Signals, digits_model: Path, digits_folder: Path, output: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [*ORILLA, *map(str, arguments_for(name, digits_model, digits_folder, output))]
    # With a record a training leaves its checkpoint: tests/sdk/training/test_resume.py goes on from it.
    command += ["--no-record"] if name == "train" else []
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # shells in the background ignore some
    )
    time.sleep(6)
    assert process.poll() is None, "over before it could be interrupted"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert "interrupted" in errors
    assert not list(scratch.iterdir())


def test_quickstart_deletes_nothing_of_yours(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    assert_refused(orilla("quickstart", "--output", tmp_path / "mine"), "not empty", code=2)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_a_copy_that_was_cut(digits_bundle: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.orilla"
    shutil.copy(digits_bundle, cut)
    os.truncate(cut, cut.stat().st_size // 2)
    assert_refused(orilla("info", cut), "cut.orilla")
