"""`orilla data check`, `sheet` and `sort`: results on standard output, exit codes that a script can act on."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.cli import invoke
from orilla_runtime.labelled import read_labelled


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes, ten different pictures each."""
    for index in range(20):
        path = tmp_path / "data" / ("nut", "bolt")[index % 2] / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC))
    return tmp_path / "data"


def test_a_check_without_errors_ends_with_0(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["data", "check", str(data)]) == 0
    out, err = capsys.readouterr()
    assert "bolt          10   50.0 %" in out
    assert "20 of 20 pictures can be read: PNG 20" in out
    assert out.endswith("nothing found\n")
    assert err == ""


def test_an_error_ends_with_3_and_says_what_to_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data / "nut" / "00.png", data / "bolt" / "again.png")
    (data / "nut" / "bad\x1b[2J.png").write_bytes(b"no picture")
    assert invoke(["data", "check", str(data), "--quiet"]) == 3
    out = capsys.readouterr().out
    assert "error: unreadable: 1 picture cannot be read. Repair or remove them" in out
    assert "\\x1b[2J" in out
    assert "\x1b[2J" not in out
    assert "    bolt/again.png (bolt) = nut/00.png (nut)" in out
    assert out.endswith("2 errors\n")
    assert invoke(["data", "check", str(data), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert {finding["code"]: finding["severity"] for finding in told["findings"]} == {
        "unreadable": "error",
        "two_labels": "error",
    }


def test_copies_across_the_split_of_a_table(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data / "nut" / "00.png", data / "nut" / "copy.png")
    images = read_labelled(data)
    with (data / "all.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("path", "label", "split"))
        for place, path in enumerate(images.paths):
            rows.writerow((path, images.label(place), "test" if path.name == "copy.png" else "train"))
    assert invoke(["data", "check", str(data / "all.csv"), "--quiet"]) == 3
    assert "error: leak: 2 pictures with the same pixels on two sides of the split" in capsys.readouterr().out
    assert invoke(["data", "check", str(data), "--quiet"]) == 0
    assert "warning: duplicates" in capsys.readouterr().out
    assert invoke(["data", "check", str(data), "--split", str(data / "all.csv"), "--quiet"]) == 3
    assert invoke(["data", "check", str(data), "--split", str(tmp_path / "none.csv")]) == 1
    assert "none.csv" in capsys.readouterr().err


def test_groups_are_written_as_a_table_to_split_by(data: Path, tmp_path: Path) -> None:
    picture = cv2.imread(str(data / "nut" / "04.png"))
    assert picture is not None
    cv2.imwrite(str(data / "nut" / "again.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert invoke(["data", "check", str(data), "--groups", str(tmp_path / "groups.csv"), "--quiet"]) == 0
    images = read_labelled(tmp_path / "groups.csv")
    assert images.classes == ("bolt", "nut")
    group_of = {path.name: group for path, group in zip(images.paths, images.columns["group"], strict=True)}
    assert group_of["04.png"] == group_of["again.jpg"]
    assert len(set(group_of.values())) == 20
    assert all(not path.is_absolute() for path in images.paths)


def test_a_name_that_no_table_can_hold_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        shutil.copy(data / "nut" / "04.png", data / "nut" / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        return  # this file system takes only text
    assert invoke(["data", "check", str(data), "--groups", str(tmp_path / "groups.csv"), "--quiet"]) == 1
    assert r"caf\udce9.png': the name of the file is no text." in capsys.readouterr().err
    assert not list(tmp_path.glob("*.csv"))


def test_sheets_are_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["data", "sheet", str(data), "--into", str(tmp_path / "sheets"), "--side", "48"]) == 0
    named = capsys.readouterr().out.splitlines()
    assert [Path(name).name for name in named] == ["overview.png", "class-bolt.png", "class-nut.png"]
    assert all(cv2.imread(name) is not None for name in named)
    (data / "nut" / "00.png").write_bytes(b"")
    assert invoke(["data", "sheet", str(data), "--into", str(tmp_path / "sheets"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unreadable"] == [str(data / "nut" / "00.png")]


def test_sorting_by_a_table(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("id,breed\n00,hex nut\n02,hex nut\n01,bolt\n")
    assert invoke(["data", "sort", str(data), "--labels", str(table), "--into", str(tmp_path / "sorted")]) == 0
    out, err = capsys.readouterr()
    assert "hex nut          2" in out
    assert err == f"17 pictures of {data} without a label in {table} stayed.\n"
    assert read_labelled(tmp_path / "sorted").classes == ("bolt", "hex nut")


def test_sorting_by_a_model(data: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    (data / "nut" / "bad.png").write_bytes(b"no picture")
    arguments = ["data", "sort", str(data / "nut"), "--model", str(model), "--into", str(tmp_path / "sorted"), "--json"]
    assert invoke([*arguments, "--threshold", "1"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["folders"] == {"unsure": 10}
    assert len(told["unreadable"]) == 1
    assert "bad.png" in err
    assert "1 picture that could not be read stayed." in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("check", "nothing"), 1, "nothing"),
        (("check", "data", "--alike", "2"), 2, "alike=2.0"),
        (("check", "data", "--groups", "groups.txt"), 2, ".csv"),
        (("check", "data", "--groups", "no/groups.csv"), 1, "no folder"),
        (("sheet", "data", "--into", "data/sheets"), 2, "among the class folders of data"),
        (("sheet", "data", "--into", "s", "--count", "0"), 2, "count=0"),
        (("sort", "data", "--into", "s"), 2, "--labels CSV or --model"),
        (("sort", "data", "--into", "s", "--labels", "l.csv", "--threshold", "0.5"), 2, "--model"),
        (("sort", "data", "--into", "s", "--labels", "l.csv"), 1, "no such CSV"),
        (("sort", "data", "--into", "s", "--model", "m.orilla"), 1, "m.orilla"),
    ],
)
def test_errors_are_two_lines_at_most(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(data.parent)
    assert invoke(["data", *arguments]) == code
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) <= 2


def test_a_terminal_sees_progress_and_no_command_needs_tensorflow(data: Path, tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    check = (
        "import sys; from orilla.cli import invoke; code = invoke(sys.argv[1:]); assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", check, "data", "check", str(data)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, timeout=60, check=True)
    os.close(terminal)
    assert b"check" in os.read(screen, 100_000)
    os.close(screen)
    assert done.stdout.decode().endswith("nothing found\n")
