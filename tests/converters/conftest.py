"""One tiny trained model, and one bundle of all six artifacts, for all converter tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orilla_converters.conversion import convert
from orilla_converters.keras_card import KerasCard, read_card, write_card
from orilla_converters.recipe import FORMATS, PRECISIONS, Recipe
from orilla_converters.results import ConversionResult
from orilla_runtime.labelled.reading import read_labelled
from orilla_runtime.preprocess import Preprocess

HERE = Path(__file__).parent
LABELS = tuple(f"digit {number}" for number in range(10))
RECIPES = tuple(Recipe(format_, precision) for format_ in FORMATS for precision in PRECISIONS)


@dataclass(frozen=True)
class Bench:
    """`digits`: a folder of 600 pictures; `bare`: the model without a card; `model`: with a card and its split."""

    folder: Path
    digits: Path
    bare: Path
    model: Path
    split: Mapping[str, Any]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    subprocess.run([sys.executable, str(HERE / "tiny_model.py"), str(folder)], check=True, capture_output=True)
    model = folder / "carded.keras"
    shutil.copy(folder / "digits.keras", model)
    data = read_labelled(folder / "digits")
    paths = [path.as_posix() for path in data.paths]
    split = {"train": paths[::2], "validation": paths[1::4], "test": paths[3::4]}
    training = {"split": split, "data_digest": data.digest(), "seed": 1}
    write_card(model, KerasCard(LABELS, Preprocess((16, 16)), training=training))
    return Bench(folder, folder / "digits", folder / "digits.keras", model, split)


@pytest.fixture(scope="session")
def converted(bench: Bench) -> ConversionResult:
    """All six artifacts in one bundle, whose bytes depend on no clock."""
    output = bench.folder / "digits.orilla"
    return convert(bench.model, data=bench.digits, output=output, recipes=RECIPES, jobs=2, timing=False)


@pytest.fixture(scope="session")
def ruined(bench: Bench) -> Path:
    """A folder with three models of one float function: `sound.keras`, and two that int8 ruins."""
    subprocess.run([sys.executable, str(HERE / "ruined_models.py"), str(bench.folder)], check=True, capture_output=True)
    card = read_card(bench.model)
    assert card is not None
    for name in ("sound", "scaled", "outlier"):
        write_card(bench.folder / f"{name}.keras", card)
    return bench.folder


@pytest.fixture
def worker_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets workers find the jobs of `jobs_for_tests.py`."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
