"""The guide to converting says what the converters do: its gates, and commands that exist."""

from __future__ import annotations

import re
import shlex

import pytest

from orilla.cli.convert import command
from orilla_converters.gates import gate_for
from orilla_converters.recipe import PRECISIONS
from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "converting.md").read_text(encoding="utf-8")
GATES = re.findall(
    r"^\| (\w+) \| ([\d.]+) %(?: \(([\d.]+) % without labels\))? \| (\d+) dB \| 1 point \|$", GUIDE, re.M
)


@pytest.mark.parametrize("row", GATES, ids=[row[0] for row in GATES])
def test_the_gates_are_those(row: tuple[str, str, str, str]) -> None:
    precision, agreement, alone, sqnr = row
    for labelled, wanted in ((True, agreement), (False, alone or agreement)):
        gate = gate_for(precision, labelled=labelled)
        assert gate.min_agreement == pytest.approx(float(wanted) / 100)
        assert gate.min_sqnr_db == float(sqnr)
        assert gate.max_drop == 0.01


def test_no_gate_is_left_out() -> None:
    assert {row[0] for row in GATES} >= {*PRECISIONS, "16x8", "dynamic", "mixed"}


def test_the_commands_and_options_exist() -> None:
    known = {name for parameter in command.params for name in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", GUIDE)) <= known | {"--no-timing", "--help"}
    lines = re.findall(r"^\$ orilla convert (.+)$", GUIDE, re.M)
    assert len(lines) >= 3
    for line in lines:
        # Parses without running; an option that does not exist is an error of usage.
        command.make_context("convert", shlex.split(line), resilient_parsing=False)
