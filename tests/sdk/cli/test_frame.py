"""The command's frame: exit codes, errors of one or two lines, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest

from orilla import cli
from orilla_runtime.errors import GateError, OrillaError, UsageError


def orilla(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_help_names_every_command() -> None:
    done = orilla("--help")
    assert done.returncode == 0
    for name in cli.COMMANDS:
        assert f"  {name} " in done.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    done = orilla("fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr


@pytest.mark.parametrize("command", ["train", "convert", "evaluate", "run", "benchmark", "info"])
def test_a_missing_argument_is_a_usage_error(command: str) -> None:
    done = orilla(command)
    assert done.returncode == 2
    assert "Missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OrillaError("parts.orilla is cut off.", "Copy it again."), 1, "parts.orilla is cut off.\nCopy it again.\n"),
        (UsageError("--mean needs --std."), 2, "--mean needs --std.\n"),
        (GateError("int8.tflite: top-1 fell by 4.0 points."), 3, "top-1 fell by 4.0 points.\n"),
        (OSError(28, "No space left on device", "out.csv"), 1, "out.csv: no space left on the disk."),
        (RuntimeError("first\nsecond"), 1, "unexpected RuntimeError: first (--debug shows where)\n"),
        (click.exceptions.Abort(), 1, "interrupted\n"),
    ],
)
def test_an_error_is_one_or_two_lines(
    error: Exception, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "completion", "orilla.cli.completion")
    monkeypatch.setattr("orilla.cli.completion.command", click.Command("completion", callback=fail))
    assert cli.invoke(["completion"]) == code
    shown = capsys.readouterr().err
    assert text in shown
    assert "Traceback" not in shown
    assert shown.count("\n") <= 2


def test_debug_shows_the_traceback_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OrillaError("a.orilla is damaged.")

    monkeypatch.setattr("orilla.cli.completion.command", click.Command("completion", callback=fail))
    assert cli.invoke(["completion", "--debug"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "a.orilla is damaged." in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    done = orilla("completion", shell)
    assert done.returncode == 0
    assert "_ORILLA_COMPLETE" in done.stdout


def test_native_noise_stays_off_the_screen() -> None:
    code = """
import os, sys
from orilla.cli import _silence_native_libraries
_silence_native_libraries()
os.write(2, b"INFO: from a native library")
print("from Python", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "from Python\n"


@pytest.mark.parametrize("command", [("--help",), ("models",), ("models", "--json"), ("doctor", "--json")])
def test_a_terminal_of_another_encoding_and_a_reader_that_goes_away(command: tuple[str, ...]) -> None:
    called = [sys.executable, "-c", "from orilla.cli import main; main()", *command]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(called, capture_output=True, timeout=120, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    if "--json" in command:
        assert json.loads(done.stdout)
        assert done.stdout.isascii()
    process = subprocess.Popen(called, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.wait(60)
    process.stderr.close()
    assert b"Traceback" not in errors
    assert b"Exception" not in errors
