"""`orilla run` where nobody looks: started again, without streams, with a log that is full, with a camera missing."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.runtime.small_models import picture, write_colours

MAIN = "from orilla.cli import main; main()"
BARE = ("--channels", "rgb", "--output", "probabilities", "--mean", "0", "--std", "1", "--labels", "labels.txt",
        "--measure", "never")  # fmt: skip
CAMERA = "pattern:64x48@100"

posix = pytest.mark.skipif(os.name != "posix", reason="signals, terminals and descriptors of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "photo.png"), picture(1))
    return write_colours(tmp_path)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, "run", "colours.tflite", *arguments, *BARE]


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    given = {"capture_output": True, "timeout": 60, **options}
    return subprocess.run(command(*arguments), cwd=folder, text=True, check=False, **given)


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_a_camera_that_was_never_there_concerns_only_itself(folder: Path) -> None:
    done = run(folder, "/dev/video97", CAMERA, "--max-frames", "5", "--jsonl", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert "warning: /dev/video97: there is no such camera." in done.stderr
    first, *others = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert (first["source"], first["error"]) == ("/dev/video97", "/dev/video97: there is no such camera.")
    assert [line["source"] for line in others] == [CAMERA] * 4
    alone = run(folder, "/dev/video97", "/dev/video98")
    assert (alone.returncode, "there is no such camera" in alone.stderr) == (1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="device files of Linux")
def test_a_camera_is_waited_for_where_retries_say_so(folder: Path) -> None:
    done = run(folder, "/dev/video97", "--retries", "1", "--retry-seconds", "0.01")
    assert done.returncode == 1
    assert "/dev/video97 is not there; connecting again." in done.stderr
    assert "given up after 2 attempts" in done.stderr


def test_a_station_that_is_started_again_keeps_what_it_has_seen(folder: Path) -> None:
    for _ in range(2):
        done = run(folder, CAMERA, "--max-frames", "3", "--jsonl", "out.jsonl", "--csv", "out.csv")
        assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]) == 6
    with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(re.match(r"\d{4}-\d\d-\d\dT", row["captured_at"]) for row in rows)
    for _ in range(2):  # A run of files says what these files are, not what they were.
        assert run(folder, "photo.png", "--jsonl", "photo.jsonl").returncode == 0
    assert len((folder / "photo.jsonl").read_text().splitlines()) == 1


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_missing_are_nobodys_results(folder: Path, closed: str) -> None:
    script = f'exec "$@" {closed}'
    called = command("photo.png", "--jsonl", "out.jsonl", "--sqlite", "out.db")
    done = subprocess.run(["sh", "-c", script, "sh", *called], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = (folder / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["source"] == "photo.png"
    assert (folder / "out.db").read_bytes().startswith(b"SQLite format 3\0")


def test_the_log_of_a_quiet_station_holds_no_results(folder: Path) -> None:
    done = run(folder, CAMERA, "--max-frames", "3", "--quiet", "--sqlite", "out.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(folder, "photo.png", "--quiet").stdout.startswith("photo.png\t")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_log_that_cannot_be_written_ends_no_run(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(folder, "/dev/video97", CAMERA, "--max-frames", "5", "--jsonl", "out.jsonl",
                   capture_output=False, stdout=subprocess.DEVNULL, stderr=full)  # fmt: skip
    assert len((folder / "out.jsonl").read_text().splitlines()) == 5
    reading, writing = os.pipe()
    os.close(reading)
    done = run(folder, "/dev/video97", CAMERA, "--max-frames", "5", "--csv", "out.csv",
               capture_output=False, stdout=subprocess.DEVNULL, stderr=writing)  # fmt: skip
    os.close(writing)
    assert done.returncode == 0
    assert len((folder / "out.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize("option", [("--save",), ("--threshold", "0.9", "--save-unsure")])
def test_a_run_does_not_feed_on_its_own_pictures(folder: Path, option: tuple[str, ...]) -> None:
    (folder / "in").mkdir()
    done = run(folder, "watch:in", *option, "./in")
    assert done.returncode == 2
    assert "./in is read or written already." in done.stderr


def test_a_pipe_without_a_picture_is_a_failure(folder: Path) -> None:
    done = run(folder, "-", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "- (standard input) ended without a picture." in done.stderr


def test_a_configuration_with_a_mark_in_front_and_one_too_deep(folder: Path) -> None:
    (folder / "station.toml").write_text('\ufeffsources = ["photo.png"]\r\nquiet = true\r\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "run", "--config", "station.toml", "colours.tflite", "photo.png", *BARE],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "deep.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    done = run(folder, "photo.png", "--config", "deep.toml")
    assert done.returncode == 2
    assert "deep.toml is no TOML file" in done.stderr
    assert "Traceback" not in done.stderr


@posix
def test_a_terminal_that_is_closed_ends_a_run_in_good_order(folder: Path) -> None:
    process = subprocess.Popen(
        command(CAMERA, "--sqlite", "out.db", "--jsonl", "out.jsonl"),
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    written = folder / "out.jsonl"
    wait_for(lambda: written.exists() and written.read_text().count("\n") > 10)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 0
    database = sqlite3.connect(folder / "out.db")
    ((ended_at,),) = database.execute("SELECT ended_at FROM runs").fetchall()
    database.close()
    assert ended_at is not None


def on_a_terminal(folder: Path, *arguments: str, is_stdout_a_pipe: bool) -> str:
    """What a run writes to its terminal."""
    screen, terminal = pty.openpty()
    stdout = subprocess.DEVNULL if is_stdout_a_pipe else terminal
    process = subprocess.Popen(command(*arguments), cwd=folder, stdout=stdout, stderr=terminal)
    os.close(terminal)
    seen = b""
    try:
        while part := os.read(screen, 65536):
            seen += part
    except OSError:  # Linux says so at the end.
        pass
    os.close(screen)
    assert process.wait(20) == 0
    return seen.decode()


@posix
def test_files_have_a_progress_bar_on_a_terminal(folder: Path) -> None:
    assert "running" in on_a_terminal(folder, *["photo.png"] * 50, is_stdout_a_pipe=True)


@posix
def test_cameras_have_a_status_line_on_a_terminal_and_its_other_lines_stay_whole(folder: Path) -> None:
    arguments = ("/dev/video97", CAMERA, "--duration", "2", "--jsonl", "out.jsonl")
    text = on_a_terminal(folder, *arguments, is_stdout_a_pipe=False)
    assert re.search(r"\r[\d.]+ a second, age \d+ ms, [\d,]+ frames", text)
    # What a person sees of each line is what was written last behind its beginning.
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    assert "warning: /dev/video97: there is no such camera." in lines
    results = [line for line in lines if "\t" in line]
    assert results
    assert all(re.fullmatch(r"pattern:64x48@100@\S+Z\t\S+\t[\d.]+", line) for line in results)
    assert [line for line in lines if re.match(r"[\d,]+ frames, .* in \d", line)]
