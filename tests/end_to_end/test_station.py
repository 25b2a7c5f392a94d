"""The samples of a station fit together, and fit the command that they call."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.runtime.service.clients import ask, wait_for
from tests.runtime.small_models import write_colours

STATION = REPOSITORY / "samples" / "station"
TOKEN = "a-token-of-some-length"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_the_configuration_runs_as_the_samples_run_it(tmp_path: Path) -> None:
    """The sample's own file, with the arguments of unit and Dockerfile, a small model and places that exist here."""
    text = (STATION / "station.toml").read_text("utf-8")
    port = free_port()
    for place, here in {
        "/etc/orilla/parts.orilla": str(tmp_path / "colours.tflite"),
        "/dev/video0": "pattern:640x480@30",
        "/var/lib/orilla/results.sqlite": str(tmp_path / "results.sqlite"),
        "0.0.0.0:8080": f"127.0.0.1:{port}",
    }.items():
        assert place in text
        text = text.replace(place, here)
    write_colours(tmp_path)
    bare = {"labels": str(tmp_path / "labels.txt"), "channels": "rgb", "output": "probabilities", "mean": 0, "std": 1}
    text += "\n".join(f"{name} = {value!r}" for name, value in bare.items())
    (tmp_path / "station.toml").write_text(text, encoding="utf-8")
    (tmp_path / "token").write_text(TOKEN)
    arguments = ["run", "--config", str(tmp_path / "station.toml"), "--token-file", str(tmp_path / "token")]
    program = [sys.executable, "-c", "from orilla.cli import main; main()", *arguments, "--measure", "never"]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(lambda: is_healthy(url))
        assert ask(url, "/state.json").status == 401
        process.terminate()
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / "results.sqlite").stat().st_size > 0


def is_healthy(url: str) -> bool:
    try:
        return ask(url, "/healthz").status == 200
    except OSError:
        return False


def test_unit_and_image_call_what_there_is() -> None:
    unit = (STATION / "orilla-station.service").read_text("utf-8")
    image = (STATION / "Dockerfile").read_text("utf-8")
    station = tomllib.loads((STATION / "station.toml").read_text("utf-8"))
    call = "run --config /etc/orilla/station.toml --token-file"
    assert f"ExecStart=/opt/orilla/bin/orilla {call} %d/token" in unit
    (command,) = re.findall(r"^CMD \[(.*)\]$", image, re.MULTILINE)
    assert " ".join(re.findall(r'"(.*?)"', command)).startswith(call)
    port = station["page"].rpartition(":")[2]
    assert f"127.0.0.1:{port}/healthz" in image
    assert f"EXPOSE {port}" in image
    for lock in re.findall(r"/source/(locks/\S+\.txt)", image):
        assert (REPOSITORY / lock).is_file()
    assert {line.split()[1] for line in image.splitlines() if line.startswith("FROM ")} == {"python:3.13-slim"}
    for place in (unit, image):
        assert str(Path(station["sqlite"]).parent) in place
