"""`orilla data get` and `orilla data split`, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.cli import invoke
from orilla.data.split import Split
from orilla_runtime.labelled import read_labelled


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _set_of_arrays(count: int = 30) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)
    part = {"x_train": pixels[10:], "y_train": np.arange(10, count) % 10}
    np.savez("digits.npz", **part, x_test=pixels[:10], y_test=np.arange(10))


def test_get_from_files(capsys: pytest.CaptureFixture[str]) -> None:
    _set_of_arrays()
    assert invoke(["data", "get", "mnist", "--into", "digits", "--from", "digits.npz"]) == 0
    assert capsys.readouterr().out == "digits/labels.csv: 30 pictures of 10 classes (train 20, test 10)\n"
    assert len(read_labelled("digits/labels.csv")) == 30
    assert invoke(["data", "get", "mnist", "--into", "digits", "--from", "digits.npz"]) == 1
    assert capsys.readouterr().err == "error: digits is not empty.\nGive the name of a new folder.\n"


def test_a_set_that_is_in_the_cache_serves_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    _set_of_arrays()
    assert invoke(["data", "get", "mnist", "--from", "digits.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 30
    assert found["split"] == {"train": 20, "test": 10}
    assert found["damaged"] == []
    assert Path(found["labels"]).is_file()
    assert invoke(["data", "get", "mnist", "--into", "copy"]) == 0
    assert read_labelled("copy/labels.csv").digest() == read_labelled(found["labels"]).digest()
    assert invoke(["data", "split", "mnist", "-o", "split.csv", "--validation", "0.5", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out.split("\n", 1)[1])["classes"]
    assert counts["7"] == {"train": 1, "validation": 1, "test": 1}
    _set_of_arrays(40)
    assert invoke(["data", "get", "mnist", "--from", "digits.npz"]) == 0
    assert len(read_labelled(found["labels"])) == 40


def test_split_by_groups(capsys: pytest.CaptureFixture[str]) -> None:
    for place in range(48):
        path = Path("parts", "ok" if place % 2 else "broken", f"part{place // 4}_{place}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", np.full((4, 4), place, np.uint8))[1].tobytes())
    assert invoke(["data", "split", "parts", "-o", "split.csv", "--group", "(part[0-9]+)_", "--seed", "1"]) == 0
    captured = capsys.readouterr()
    assert "split.csv: the split of 48 pictures" in captured.out
    assert "12 groups, none of them in two parts." in captured.err
    split = Split.read("split.csv", read_labelled("parts"))
    sides = [
        {path.split("/")[1].split("_")[0] for path in part} for part in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, sides)) == 12
    assert invoke(["data", "split", "parts", "-o", "split.csv", "--group", "ok/"]) == 2
    assert "fits 24 of 48 paths, but not broken/part0_0.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "mist"], 2, "There is no set called 'mist'"),
        (["get", "cifar10", "--from", "gone.tar.gz"], 1, "gone.tar.gz: there is no such file or folder."),
        (["split", "gone", "-o", "split.csv"], 1, "gone: no such folder or table."),
        (["split", ".", "-o", "split.csv", "--test", "1"], 1, "holds no pictures"),
    ],
)
def test_what_cannot_be_is_said_in_two_lines(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert invoke(["data", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 2
    assert not Path("split.csv").exists()
