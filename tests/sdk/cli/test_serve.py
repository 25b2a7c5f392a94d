"""`orilla serve` and `orilla run --page` as a person or a supervisor meets them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cv2
import pytest

from orilla import cli
from tests.conftest import REPOSITORY
from tests.runtime.service.clients import ask, connect, wait_for
from tests.runtime.small_models import LABELS, picture, write_colours

PROGRAM = [sys.executable, "-c", "from orilla.cli import main; main()"]
BARE = ("--labels", "labels.txt", "--channels", "rgb", "--output", "probabilities", "--mean", "0", "--std", "1")
STATION = """
model = "colours.tflite"
sources = ["pattern:64x48@30"]
page = 0
jsonl = "results.jsonl"
measure = "never"
labels = "labels.txt"
channels = "rgb"
output = "probabilities"
mean = 0
std = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "photo.png"), picture(1))
    return write_colours(tmp_path)


@contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command and the address that it says on standard error."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stderr is not None
        yield process, _address(process.stderr)
    finally:
        process.kill()
        process.communicate()


def _address(stderr: IO[str]) -> str:
    for line in stderr:
        if found := re.search(r"http://[\w.:]+/", line):
            return found.group()
    raise AssertionError("it said no address")


def serve(*more: str) -> tuple[str, ...]:
    return ("serve", "colours.tflite", *BARE, "--measure", "never", "--port", "0", *more)


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_until_it_is_told_to_end(folder: Path, number: signal.Signals) -> None:
    with started(folder, *serve("--threshold", "0.9")) as (process, url), connect(url) as idle:
        answer = ask(url, "/classify?source=photo.png", (folder / "photo.png").read_bytes())
        assert answer.status == 200
        assert answer.json["decision"]["label"] in {*LABELS, "unknown"}
        idle.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        assert end(process, number) == (0, "")


def test_the_client_of_the_docs(folder: Path) -> None:
    page = (REPOSITORY / "docs" / "service.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with started(folder, *serve()) as (_, url):
        assert program.count("http://127.0.0.1:8000/") == 1
        done = subprocess.run(
            [sys.executable, "-c", program.replace("http://127.0.0.1:8000/", url)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        label, score = done.stdout.split()
        best = ask(url, "/classify", (folder / "photo.png").read_bytes()).json["predictions"][0]
        assert (label, float(score)) == (best["label"], best["score"])
    assert len(program.strip().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--host", "0.0.0.0"), 2, "which needs a token"),
        (("--token-file", "gone.txt"), 2, "gone.txt cannot be read"),
        (("--max-mib", "inf"), 2, "--max-mib inf is no limit"),
        (("--answer-seconds", "nan"), 2, "--answer-seconds nan is no limit"),
        (("--host", "203.0.113.7", "--token-file", "token.txt"), 1, "Cannot listen"),
    ],
)
def test_a_service_that_does_not_start_says_why_in_two_lines(
    folder: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "token.txt").write_text("a-token-of-some-length")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ORILLA_TOKEN", raising=False)
    assert cli.invoke(serve(*arguments)) == code
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 2)
    assert words in err


@pytest.mark.parametrize(("page", "words"), [("x:y", "no place to listen"), ("0.0.0.0:0", "which needs a token")])
def test_a_page_that_cannot_be_opened_is_told_before_anything_runs(folder: Path, page: str, words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORILLA_TOKEN"}
    command = [*PROGRAM, "run", "gone.tflite", "photo.png", "--page", page]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
    assert words in done.stderr


@pytest.mark.parametrize("command", [("serve", "m.tflite"), ("run", "m.tflite", "photo.png", "--page", "0")])
def test_without_the_extra_the_remedy_names_it(folder: Path, command: tuple[str, ...]) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from orilla.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: A page or a service needs uvicorn, which is not installed.",
        "Install it: pip install 'orilla[serve]'.",
    ]


def test_a_station_shows_its_page_and_tells_systemd(folder: Path) -> None:
    """READY=1 with the first frame, WATCHDOG=1 while frames flow, STOPPING=1 at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(20)
        (folder / "station.toml").write_text(STATION)
        told = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "300000"}
        with started(folder, "run", "--config", "station.toml", **told) as (process, url):
            assert manager.recv(100) == b"READY=1\nWATCHDOG=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            wait_for(lambda: ask(url, "/healthz").status == 200)
            shown = ask(url, "/state.json").json
            assert shown["lanes"][0]["name"] == "pattern:64x48@30"
            assert {"processed", "failed", "dropped", "skipped"} == set(shown["counts"])
            code, errors = end(process)
            assert code == 0
            assert "error" not in errors
        said = b""
        while said != b"STOPPING=1":
            said = manager.recv(100)
    lines = (folder / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines[:1]] == ["pattern:64x48@30"]
