"""What the pages of docs/ name is there: files, commands and their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from orilla.cli import cli
from tests.conftest import REPOSITORY

PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))
ROOMS = "benchmarks|converters|docs|locks|runtime|samples|sdk|tests|tools"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    for name in re.findall(rf"`((?:{ROOMS})/[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert (REPOSITORY / name).exists(), name
    for name in re.findall(r"`(test_\w+\.py)`", page.read_text(encoding="utf-8")):
        assert list((REPOSITORY / "tests").rglob(name)), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_options_that_a_page_shows_are_those_of_the_command(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^(?:\$ )?(?:\w+=\S+ )*(orilla .*)$", text, re.MULTILINE):
        words = shlex.split(line.replace("…", ""), comments=True)
        options = {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}
        assert options <= {"--help", "--debug", "--version"} | options_of(words[1:]), line


def options_of(words: list[str]) -> set[str]:
    """The long options of the command that the words begin with."""
    group: click.Command = cli
    while isinstance(group, click.Group) and words:
        found = group.get_command(click.Context(group), words[0])
        if found is None:
            break
        group, words = found, words[1:]
    return {name for one in group.params for name in (*one.opts, *one.secondary_opts)}
