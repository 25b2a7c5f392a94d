"""The guides in two languages show the same programs, and every command and option in them is one that exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from orilla.cli import COMMANDS, cli
from tests.conftest import REPOSITORY

GUIDES = ("mnist", "cifar10", "pets")


def blocks(path: Path) -> list[str]:
    return re.findall(r"^```.*?\n.*?^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    return [REPOSITORY / "docs" / "guides" / f"{name}.md" for name in GUIDES]


@pytest.mark.parametrize("name", GUIDES)
def test_both_languages_show_the_same(name: str) -> None:
    shown = blocks(REPOSITORY / "docs" / "guides" / f"{name}.md")
    assert shown
    assert blocks(REPOSITORY / "docs" / "es" / f"{name}.md") == shown


def test_the_readme_in_spanish_shows_the_same() -> None:
    assert blocks(REPOSITORY / "README.es.md") == blocks(REPOSITORY / "README.md")


@pytest.mark.parametrize("page", pages(), ids=GUIDES)
def test_every_command_is_taken(page: Path) -> None:
    lines = re.findall(r"^(?:\$ )?orilla (.+)$", "\n".join(blocks(page)), re.MULTILINE)
    assert lines
    for line in lines:
        command, arguments = resolved(shlex.split(line, comments=True))
        # Parses without running; an option that does not exist is an error of usage.
        command.make_context(command.name, arguments, resilient_parsing=False)


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words that are left for it."""
    assert words[0] in COMMANDS
    group: click.Command = cli
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words[0])
        assert found is not None, words
        group, words = found, words[1:]
    return group, words


@pytest.mark.parametrize("folder", ["docs/guides", "docs/es", "docs"])
def test_every_link_leads_somewhere(folder: str) -> None:
    for page in (REPOSITORY / folder).glob("*.md"):
        prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#]+)", prose):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
