"""The README's programs run, and print what the README says that they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)


def without_figures(text: str) -> str:
    """Training on another processor rounds differently: figures may differ, words may not."""
    return re.sub(r"\d+\.\d+", "#", text)


@pytest.fixture(scope="module")
def desk(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the quickstart leaves it behind."""
    from orilla.data.digits import write_video

    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(digits_folder, folder / "quickstart" / "digits")
    held_out = [folder / "quickstart" / "digits" / digit / name for digit, name in FIRST_OF_THE_VIDEO]
    write_video(held_out, folder / "quickstart" / "digits.avi")
    return folder


FIRST_OF_THE_VIDEO = (("0", "0010.png"),)


def test_there_are_two_programs_of_the_promised_length() -> None:
    assert [len([line for line in code.splitlines() if line]) for code, _ in PROGRAMS] == [5, 3]


@pytest.mark.parametrize("number", [0, 1], ids=["convert", "run"])
def test_a_program_prints_what_it_says(number: int, desk: Path) -> None:
    code, promised = PROGRAMS[number]
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert without_figures(done.stdout) == without_figures(promised)
    if number == 1:
        assert done.stdout == promised


def test_every_command_is_one_that_exists() -> None:
    from orilla.cli import COMMANDS

    named = set(re.findall(r"^(?:- `)?orilla (\w+)", README, re.MULTILINE)) | set(re.findall(r"`orilla (\w+)", README))
    assert named <= set(COMMANDS)
    assert {"train", "convert", "evaluate", "info", "run", "benchmark", "doctor"} <= named


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPOSITORY / target).exists(), target
