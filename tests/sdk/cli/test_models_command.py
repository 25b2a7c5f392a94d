"""`orilla models` lists every model without TensorFlow, and the guide's table is what it prints."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orilla.cli import invoke
from orilla.cli.models import short
from orilla.models.measured import measured
from orilla.models.zoo import MODELS
from tests.conftest import REPOSITORY


def test_every_model_is_listed_without_tensorflow() -> None:
    program = (
        "import sys; from orilla.cli import invoke; code = invoke(['models', '--json']);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["models"]
    assert [row["name"] for row in rows] == list(MODELS)
    for row in rows:
        assert (row["weights"] is None) == (row["trained"] == "scratch")
        assert row["recipe"]["epochs"] >= 1
    known = {row["name"]: row["measured"] for row in rows}
    assert known["efficientnet_lite0"]["parameters"] == 4_694_024 - 990 * 1281
    assert known["mobilenet_v2"]["agreement"] is None
    assert known["mnist_cnn"]["agreement"] > 0.9


def test_the_figures_are_of_models_that_exist_and_are_possible() -> None:
    for name, figures in measured().items():
        entry = MODELS[name]
        assert entry.smallest <= figures.image_size <= entry.largest
        assert figures.channels in entry.channels
        assert figures.size_ratio is None or 0.2 < figures.size_ratio < 1
        assert figures.time_ratio is None or figures.time_ratio > 0
        assert figures.macs > figures.parameters / 100
        assert (figures.agreement is None) == (figures.trained_on is None)


def test_the_guide_shows_the_table_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["models", "--markdown"]) == 0
    table = capsys.readouterr().out.strip()
    assert table in (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["models"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in MODELS)
    assert "Apache-2.0" in shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(999, "999"), (37_706, "37.7 k"), (999_600, "1000 k"), (4_694_024, "4.69 M"), (5 * 10**9, "5 G")],
)
def test_numbers_in_three_digits(count: int, shown: str) -> None:
    assert short(count) == shown
