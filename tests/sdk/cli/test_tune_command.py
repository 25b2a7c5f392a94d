"""`orilla tune`: a wish that cannot be granted ends before the first trial, in two lines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.cli import invoke


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures of each of two classes."""
    for index in range(4):
        path = tmp_path / "data" / ("a", "b")[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), 60 * index, np.uint8))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--trials", "0"), 2, "above 0"),
        (("--timeout", "0"), 2, "above 0"),
        (("--model", "huge"), 2, "no model"),
        (("--search", "dropout"), 2, "says nothing to search"),
        (("--search", "colour=1..2"), 2, "cannot be searched"),
        (("--search", "epochs=3", "--epochs", "4"), 2, "epochs is given twice"),
        (("--image-size", "4"), 2, "no pictures of 4 pixels"),
        (("--storage", "nonsense"), 1, "cannot be opened"),
        (("--split", "nowhere.csv"), 1, "nowhere.csv"),
        (("--output", "data/a/0.png"), 1, "0.png"),
    ],
)
def test_refused(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(data.parent)
    assert invoke(["tune", "data", "--output", "study", *arguments]) == code
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) <= 2
    assert not (data.parent / "study" / "trials").exists()
