"""RTSP with H.264 from GStreamer's server, with the time limits of real life."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.stream import stream_source

SCRIPT = Path(__file__).parent / "servers" / "gstreamer_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0')"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which(SYSTEM_PYTHON) is None
        or subprocess.run([SYSTEM_PYTHON, "-c", _PROBE], capture_output=True, check=False).returncode != 0,
        reason="no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-ugly)",
    ),
]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def serving(port: int, *size: str) -> Iterator[subprocess.Popen[str]]:
    server = subprocess.Popen([SYSTEM_PYTHON, str(SCRIPT), str(port), *size], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    try:
        yield server
    finally:
        server.kill()
        server.communicate()


def test_unplugged_hung_for_a_minute_and_plugged_in_with_another_size(port: int) -> None:
    options = SourceOptions(timeout_seconds=5, retries=1000)
    source = stream_source(f"rtsp://admin:s3cret-hunter@127.0.0.1:{port}/test", options)
    items = iter(source)
    taken = 0
    failures = []

    def frame() -> Frame:
        nonlocal taken
        for item in items:
            taken += 1
            if isinstance(item, Frame):
                return item
            failures.append(item)
        raise AssertionError("it ended")

    with serving(port) as server:
        assert {frame().image.shape for _ in range(60)} == {(480, 640, 3)}
        server.send_signal(signal.SIGSTOP)
        time.sleep(60)
        server.send_signal(signal.SIGCONT)
        frame()
        while not failures:
            frame()
        for _ in range(30):
            frame()
    time.sleep(3)
    with serving(port, "1280", "720", "30"):
        while frame().image.shape != (720, 1280, 3):
            pass
        for _ in range(30):
            frame()
        source.close()
    assert taken + source.dropped == source.captured
    assert {failure.kind for failure in failures} == {"lost"}
    assert 1 <= len(failures) <= 4
    assert "s3cret-hunter" not in repr(failures)


def test_a_wrong_password(port: int) -> None:
    with serving(port):
        (item,) = stream_source(f"rtsp://admin:wrong@127.0.0.1:{port}/test", SourceOptions(retries=0))
    assert isinstance(item, Failure)
    assert "refuses the user or the password (401)" in item.error
