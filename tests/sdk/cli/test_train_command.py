"""`orilla train`: a model and JSON on standard output, progress on standard error, errors in two lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from orilla.cli.train import command
from orilla.cli.training_display import training_display
from orilla.models.recipe import FIELDS
from orilla.training.progress import EpochEnd
from orilla_converters.keras_card import read_card


def orilla(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Dark and bright pictures, ten each."""
    drawn = np.random.default_rng(0)
    for index in range(20):
        name, base = (("bright", 150), ("dark", 0))[index % 2]
        path = tmp_path / "data" / name / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), drawn.integers(base, base + 100, (8, 8, 3), np.uint8))
    return tmp_path / "data"


def test_a_model_is_trained(data: Path, tmp_path: Path) -> None:
    options = ("--epochs", 2, "--batch-size", 4, "--cache-gib", 0)
    done = orilla("train", data, "--output", tmp_path / "m.keras", *options, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["labels"] == ["bright", "dark"]
    assert (result["n"], result["image_size"], result["channels"]) == (4, 8, "rgb")
    assert len(result["history"]) == 2
    card = read_card(tmp_path / "m.keras")
    assert card is not None
    assert card.training["split_digest"] == result["split_digest"]
    lines = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["read", "train", "epoch 1/2", "epoch 2/2", "test"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--output", "m.h5"), 2, ".keras"),
        (("--output", "m.keras", "--epochs", "0"), 2, "epochs=0"),
        (("--output", "m.keras", "--model", "nothing"), 2, "no model"),
        (("--output", "nowhere/m.keras"), 1, "no folder"),
    ],
)
def test_errors_are_two_lines_at_most(
    arguments: tuple[str, ...], code: int, says: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = orilla("train", data, *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert done.stdout == ""


def test_an_unreadable_picture_ends_it_before_training(data: Path, tmp_path: Path) -> None:
    (data / "dark" / "7.png").write_bytes(b"nothing")
    done = orilla("train", data, "--output", tmp_path / "m.keras", "--quiet")
    assert done.returncode == 1
    assert "7.png" in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert not (tmp_path / "m.keras").exists()


def test_help_is_in_groups() -> None:
    done = CliRunner().invoke(command, ["--help"])
    assert done.exit_code == 0
    headings = [line for line in done.output.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert [heading.split(" ")[0].rstrip(":") for heading in headings] == [
        "Model",
        "Pictures",
        "Split",
        "Learning",
        "Keeping",
        "Options",
    ]


def test_every_field_of_a_recipe_is_an_option() -> None:
    assert set(FIELDS) <= {parameter.name for parameter in command.params}


def test_a_line_shows_the_rate_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    end = EpochEnd("train", 2, 5, 0.5, 0.75, 0.6, 0.7, 1e-3, 4.0, val_balanced=0.4)
    with training_display(quiet=False) as tell:
        tell(end)
    assert capsys.readouterr().err == (
        "epoch 2/5: loss 0.500, right 75.0 %; validation loss 0.600, right 70.0 % (40.0 % over classes), "
        "rate 0.001, 4.0 s, 12 s left\n"
    )
