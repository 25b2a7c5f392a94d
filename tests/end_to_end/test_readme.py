"""The README's programs run, and print what the README says that they print."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import REPOSITORY, Desk, readme_programs

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def without_figures(text: str) -> str:
    """Training on another processor rounds differently: figures may differ, words may not."""
    return re.sub(r"\d+\.\d+", "#", text)


def test_the_programs_are_as_short_as_promised() -> None:
    assert [len([line for line in code.splitlines() if line]) for code, _ in readme_programs()] == [5, 3]


def test_the_desk_program_prints_what_it_says(desk: Desk) -> None:
    _, promised = readme_programs()[0]
    assert without_figures(desk.printed) == without_figures(promised)


def test_the_device_program_prints_what_it_says(desk: Desk) -> None:
    code, promised = readme_programs()[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=desk.folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout == promised


def test_every_command_is_one_that_exists() -> None:
    from orilla.cli import COMMANDS

    named = set(re.findall(r"^(?:- `)?orilla (\w+)", README, re.MULTILINE)) | set(re.findall(r"`orilla (\w+)", README))
    assert named <= set(COMMANDS)
    assert {"train", "convert", "evaluate", "info", "run", "benchmark", "doctor"} <= named


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPOSITORY / target).exists(), target
