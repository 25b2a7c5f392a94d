"""`orilla run` on real cameras of the network, while everything goes wrong with two of three."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.small_models import write_colours
from tests.runtime.sources.servers.credentials import PASSWORD, USER
from tests.runtime.sources.servers.process import Camera, running

PROGRAM = [sys.executable, "-c", "from orilla.cli import main; main()", "run"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = write_colours(tmp_path_factory.mktemp("colours"))
    return [str(folder / "colours.tflite"), "--labels", str(folder / "labels.txt")]


@pytest.fixture
def cameras() -> Iterator[dict[str, Camera]]:
    with running("mjpeg_server") as http, running("rtsp_server") as rtsp:
        yield {"http": http, "rtsp": rtsp}


class Run:
    """A run in a process of its own, and what it wrote until now."""

    def __init__(self, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self.results, self.log = folder / "out.jsonl", folder / "log.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, *arguments, "--jsonl", str(self.results), "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment},
                text=True,
            )

    def lines(self) -> list[dict[str, Any]]:
        text = self.results.read_text(encoding="utf-8") if self.results.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def seen(self, scheme: str) -> int:
        return sum(line["source"].startswith(scheme) and "error" not in line for line in self.lines())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + 40
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < limit, self.log.read_text()
            time.sleep(0.05)

    def more_of(self, *schemes: str) -> None:
        for scheme in schemes:
            before = self.seen(scheme)
            self.wait_for(lambda scheme=scheme, before=before: self.seen(scheme) > before + 5)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]

    def end(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=20)
        self.printed = printed
        return dict(json.loads(printed))


FAULTS: tuple[tuple[dict[str, Any], float], ...] = (
    ({"do": "drop"}, 0.0),
    ({"mode": "damaged"}, 0.6),
    ({"mode": "stall"}, 1.5),
    ({"size": [320, 240]}, 0.0),
    ({"fps": 240}, 0.5),
    ({"do": "stop"}, 1.0),
    ({"mode": "mute", "do": "drop"}, 1.0),
)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
def test_a_run_outlives_every_fault_and_tells_no_password(
    model: list[str], cameras: dict[str, Camera], tmp_path: Path
) -> None:
    addresses = {
        f"CAMERA_{scheme}": f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{camera.port}/digest"
        for scheme, camera in cameras.items()
    }
    sources = [f"env:{name}" for name in addresses] + ["pattern:64x48@20"]
    options = ["--timeout", "1", "--retry-seconds", "0.05", "--retries", "1000", "--frozen", "1000"]
    run = Run(tmp_path, [*model, *sources, *options], addresses)
    run.more_of("http", "rtsp", "pattern")
    for order, seconds in FAULTS:
        for camera in cameras.values():
            camera.tell(**order)
        time.sleep(seconds)
        for camera in cameras.values():
            camera.tell(mode="good", fps=50, **({"do": "start"} if order.get("do") == "stop" else {}))
        run.more_of("http", "rtsp", "pattern")
    children = run.children()
    arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    assert len(arguments) == 2
    summary = run.end()
    assert run.process.returncode == 0
    lines, log = run.lines(), run.log.read_text()

    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    for text in (run.printed, log, run.results.read_text(), repr(arguments)):
        assert PASSWORD not in text
        assert "Traceback" not in text
    assert len(log.splitlines()) < 40, log
    warned = [line.split(": ", 1)[1] for line in log.splitlines() if line.startswith("warning: ")]
    again = [line for line in warned if line.endswith("gives pictures again.")]
    told = Counter(line for line in warned if line not in again)
    assert set(told.values()) == {1}, told
    assert 0 < len(again) <= len(told)

    # Everything that was captured is in the results, or counted as dropped, or was on its way when the run was ended.
    failed = [line for line in lines if "error" in line]
    assert summary["failed"] == len(failed)
    assert summary["processed"] == len(lines) - len(failed)
    captured = {line["source"]: line["index"] + 1 for line in lines}
    assert len(captured) == 3
    gaps = sum(captured.values()) - len(lines)
    assert 0 <= summary["dropped"] - gaps < 50
    untouched = [line for line in lines if line["source"].startswith("pattern")]
    assert not [line for line in untouched if "error" in line]
    assert {type(line.get("error")) for line in failed} == {str}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")
def test_the_reading_processes_die_with_a_run_that_is_killed(
    model: list[str], cameras: dict[str, Camera], tmp_path: Path
) -> None:
    sources = [f"{scheme}://127.0.0.1:{camera.port}/" for scheme, camera in cameras.items()]
    run = Run(tmp_path, [*model, *sources, "--timeout", "300"], {})
    run.more_of("http", "rtsp")
    cameras["rtsp"].tell(mode="stall")  # That one hangs in FFmpeg.
    children = run.children()
    assert len(children) == 2
    run.process.kill()
    run.process.communicate()
    limit = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_camera_that_hangs_does_not_hold_up_the_end(
    model: list[str], cameras: dict[str, Camera], tmp_path: Path
) -> None:
    run = Run(tmp_path, [*model, f"rtsp://127.0.0.1:{cameras['rtsp'].port}/", "--timeout", "300"], {})
    run.more_of("rtsp")
    cameras["rtsp"].tell(mode="stall")
    assert run.end()["failed"] == 0
    assert run.process.returncode == 0


def test_a_wrong_address_is_an_error_without_its_password(model: list[str]) -> None:
    for address, words in (
        (f"rtmp://{USER}:{PASSWORD}@camera/x", "streams of the kind rtmp://"),
        (f"http://{USER}:{PASSWORD}@no-such-camera.invalid/x", "is not known by that name"),
    ):
        command = [*PROGRAM, *model, address, "--retries", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert words in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
