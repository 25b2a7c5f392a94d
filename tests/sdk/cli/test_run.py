"""`orilla run` as a person or a script meets it: a process, its two streams, its files and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from orilla_runtime.model import load

Unzip = Callable[[str], Path]
PROGRAM = [sys.executable, "-c", "from orilla.cli import main; main()", "run"]


def orilla_run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


@pytest.fixture(scope="module")
def videos(unzipped: Unzip) -> Path:
    return unzipped("video.zip")


@pytest.fixture(scope="module")
def odd(unzipped: Unzip) -> Path:
    return unzipped("odd_images.zip") / "files"


@pytest.fixture
def many(odd: Path) -> list[str]:
    """Sources that take some seconds."""
    return [str(odd / "photo_ok.jpg")] * 2000


def test_odd_pictures_give_results_or_counted_errors_and_exit_code_1(model: Path, odd: Path, tmp_path: Path) -> None:
    done = orilla_run(model, odd, "--jsonl", tmp_path / "out.jsonl", "--csv", tmp_path / "out.csv", "--top", "3")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    failed = [line for line in lines if "error" in line]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert f"{len(failed)} of {len(lines)} pictures could not be read." in done.stderr
    assert done.stderr.count("warning: ") == len(failed) > 0
    assert all(len(line["predictions"]) == 3 for line in lines if line not in failed)
    shown = [line.split("\t") for line in done.stdout.splitlines()]
    assert [label for _, label, _ in shown] == [line["predictions"][0]["label"] for line in lines if line not in failed]
    with load(model) as bare:
        best = bare(cv2.imread(str(odd / "photo_ok.jpg"))).top
    (photo,) = [line for line in lines if line["source"].endswith("photo_ok.jpg")]
    assert photo["predictions"][0] == {"label": best.label, "class_id": best.class_id, "score": best.score}


def test_a_video_is_annotated_frame_by_frame_and_its_changes_are_shown(
    model: Path, videos: Path, tmp_path: Path
) -> None:
    done = orilla_run(model, videos / "photos_h264.mp4", "--save", tmp_path / "out.mp4")
    assert done.returncode == 0
    capture, count = cv2.VideoCapture(str(tmp_path / "out.mp4")), 0
    while capture.read()[0]:
        count += 1
    assert count == 96
    shown = [line.split("\t") for line in done.stdout.splitlines()]
    assert [name.rpartition("@")[2] for name, _, _ in shown[:3]] == ["0.000s", "0.500s", "1.000s"]
    assert "96 frames in " in done.stderr


def test_json_is_one_object_and_quiet_is_silent(model: Path, videos: Path) -> None:
    done = orilla_run(model, videos / "one_frame.mp4", "--json", "--quiet")
    summary = json.loads(done.stdout)
    assert (summary["processed"], summary["failed"], summary["engine"]) == (1, 0, "litert/cpu")
    assert set(summary["median_ms"]) == {"decode", "preprocess", "infer", "postprocess"}
    assert "frames" not in done.stderr


def test_standard_output_holds_lines_of_json_and_nothing_else(model: Path, videos: Path) -> None:
    done = orilla_run(model, videos / "photos_h264.mp4", "--jsonl", "-", "--max-frames", "7")
    assert [json.loads(line)["index"] for line in done.stdout.splitlines()] == list(range(7))


def test_of_several_sources_one_that_is_missing_is_counted(model: Path, videos: Path, tmp_path: Path) -> None:
    done = orilla_run(model, tmp_path / "typo.jpg", videos / "one_frame.mp4")
    assert done.returncode == 1
    assert "one_frame.mp4@0.000s\tmenu" in done.stdout
    assert "1 of 2 pictures could not be read." in done.stderr
    alone = orilla_run(model, tmp_path / "typo.jpg")
    assert alone.returncode == 1
    assert "no such file" in alone.stderr


def test_odd_names_are_shown_on_one_line_and_kept_in_json(model: Path, odd: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/new\nline\x1b[2J\xff.jpg"
    try:
        Path(os.fsdecode(name)).write_bytes((odd / "photo_ok.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system refuses such names")
    command = [*PROGRAM, str(model), name, "--jsonl", str(tmp_path / "out.jsonl")]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert b"new\\nline\\x1b[2J\\udcff.jpg\t" in done.stdout
    assert done.stdout.count(b"\n") == 1
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert os.fsencode(json.loads(line)["source"]) == name


def test_a_name_that_begins_with_a_dash(model: Path, odd: Path) -> None:
    done = orilla_run(model, "--", "-dash.jpg", cwd=odd)
    assert done.returncode == 0
    assert done.stdout.startswith("-dash.jpg\t")


def test_a_reader_that_goes_away_ends_the_run_quietly(model: Path, many: list[str]) -> None:
    for options in ([], ["--jsonl", "-"]):
        process = subprocess.Popen(
            [*PROGRAM, str(model), *many, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(60) == 0
        assert "error" not in errors.lower()
        assert "Exception" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_whole_lines_and_a_readable_video(
    number: signal.Signals, model: Path, many: list[str], tmp_path: Path
) -> None:
    outputs = ["--jsonl", str(tmp_path / "out.jsonl"), "--save", str(tmp_path / "out.mp4")]
    process = subprocess.Popen(
        [*PROGRAM, str(model), *many, *outputs], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(number)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted before the end." in errors
    assert "frames in " in errors
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(lines) == 20 + len(shown.splitlines()) < 2000
    capture, count = cv2.VideoCapture(str(tmp_path / "out.mp4")), 0
    while capture.read()[0]:
        count += 1
    assert count == len(lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.mp4"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--jsonl", "missing/out.jsonl"], 1, "there is no folder missing"),
        (["--save", "missing/out.mp4"], 1, "there is no folder missing"),
        (["--jsonl", "-", "--json"], 2, "Only one of"),
        (["--jsonl", "out", "--csv", "./out"], 2, "read or written already"),
        (["--jsonl", "photo_ok.jpg"], 2, "read or written already"),
        (["--sink", "telegraph"], 2, "no sink 'telegraph'"),
        (["--max-frames", "0"], 2, "max-frames"),
        (["--show"], 1, "--save"),
    ],
)
def test_wrong_options_are_two_lines_and_write_nothing(
    options: list[str], code: int, text: str, model: Path, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (tmp_path / "photo_ok.jpg").write_bytes((odd / "photo_ok.jpg").read_bytes())
    done = orilla_run(model, "photo_ok.jpg", *options, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photo_ok.jpg"]
