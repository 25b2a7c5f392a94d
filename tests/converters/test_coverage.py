"""The coverage table: a part of it converted anew, and its page rendered from its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.coverage.causes import CAUSES, cause_of
from benchmarks.coverage.cells import columns
from benchmarks.coverage.judging import CLOSE
from benchmarks.coverage.page import mark, render
from benchmarks.coverage.registry import ARCHITECTURES
from orilla_converters.worker import call

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results" / "coverage.json"
PART = ("RegNet-like (grouped)", "ViT (small)", "open height and width")
AGAIN = "the table is out of date: python -m benchmarks.coverage --again --only NAME"


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """The cells of a part of the table, converted now, in one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        return call("benchmarks.coverage.together:rows_job", {"names": list(PART)}, what="coverage")


def outcome(cell: dict[str, Any]) -> tuple[str, str]:
    return cell["status"], cell.get("cause", "")


@pytest.mark.parametrize("name", PART)
def test_the_converters_do_what_the_table_says(name: str, fresh: dict[str, Any], table: dict[str, Any]) -> None:
    known = {column: outcome(cell) for column, cell in table["rows"][name].items()}
    assert known == {column: outcome(fresh[name][column]) for column in known}, f"{AGAIN}; {fresh[name]}"


def test_every_cell_was_run_and_none_is_a_fault(table: dict[str, Any]) -> None:
    for name in ARCHITECTURES:
        for column in columns():
            shown = mark(table["rows"][name].get(column), column.endswith(":float32"))
            assert shown.startswith(("✓", "refused")), f"{name} {column}: {shown}"


def test_float32_is_close_to_keras(fresh: dict[str, Any]) -> None:
    errors = [
        cell["error"]
        for row in fresh.values()
        for column, cell in row.items()
        if column.endswith(":float32") and cell["status"] == "ok"
    ]
    assert len(errors) == 6
    assert max(errors) < CLOSE / 10


def test_the_page_says_what_was_measured(table: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert page == render(table), "run python -m benchmarks.coverage --render"


def test_the_table_has_every_architecture(table: dict[str, Any]) -> None:
    assert list(table["rows"]) == list(ARCHITECTURES)
    assert set(table["columns"]) <= set(columns())


def test_no_cell_is_a_fault(table: dict[str, Any]) -> None:
    faults = {name for name, row in table["rows"].items() for cell in row.values() if mark(cell) == "✗"}
    assert faults == set()


def test_what_is_to_be_refused_is_refused(table: dict[str, Any]) -> None:
    for name, architecture in ARCHITECTURES.items():
        # TensorFlow itself has every operator of its own.
        skipped = "savedmodel" if architecture.refusal == "no operator" else " "
        cells = [cell for column, cell in table["rows"][name].items() if not column.startswith(skipped)]
        if architecture.refusal:
            assert {outcome(cell) for cell in cells} == {("refused", architecture.refusal)}


def test_every_refusal_states_its_cause(table: dict[str, Any]) -> None:
    known = {cause.name for cause in CAUSES}
    for row in table["rows"].values():
        for cell in row.values():
            if cell["status"] == "refused":
                assert cause_of(cell["reason"]) == cell["cause"]
                assert cell["cause"] in known
                assert cell["remedy"]


@pytest.mark.slow
def test_the_whole_table(table: dict[str, Any], tmp_path: Path) -> None:
    """An hour on two cores."""
    command = [sys.executable, "-m", "benchmarks.coverage", "--results", str(tmp_path), "--page", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    rows = json.loads((tmp_path / "coverage.json").read_text(encoding="utf-8"))["rows"]
    for name, row in table["rows"].items():
        assert {column: outcome(cell) for column, cell in rows[name].items()} == {
            column: outcome(cell) for column, cell in row.items()
        }, name
