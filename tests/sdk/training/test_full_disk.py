"""A disk that fills while a training runs: one error that says what to do, whole files, and a training that goes on."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla.data.split import Split
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.zoo import MODELS
from orilla.training import TrainResult, train
from orilla.training.checkpoint import read_checkpoint
from orilla.training.events import EventLog
from orilla.training.neighbour import Neighbour
from orilla.training.progress import EpochEnd, Event, Phase
from orilla_runtime.errors import SinkError
from tests.sdk.training import tiny

OPTIONS: dict[str, Any] = {"model": "tiny", "epochs": 4, "image_size": 8, "seed": 3}
END = EpochEnd("train", 1, 9, 0.5, 0.75, 0.6, 0.7, 1e-3, 4.0)


@pytest.fixture(autouse=True)
def _tiny_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", tiny.ENTRIES["tiny"])  # type: ignore[misc]


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.draw_stripes(tmp_path_factory.mktemp("data") / "stripes")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on it."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def full_at(disk: Path, moment: Callable[[Event], bool]) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        if moment(event):
            fill(disk)

    return tell


def trained(stripes: Path, output: Path, **changes: Any) -> TrainResult:
    return train(stripes, output=output, **{**OPTIONS, **changes})


def weights(path: Path) -> list[Any]:
    keras, _ = keras_and_tensorflow()
    found: list[Any] = keras.saving.load_model(path, compile=False).get_weights()
    return found


def epoch_two(event: Event) -> bool:
    return isinstance(event, EpochEnd) and event.epoch == 2


def the_end(event: Event) -> bool:
    return isinstance(event, Phase) and event.name == "test"


@pytest.mark.parametrize(
    ("moment", "names", "epoch"), [(epoch_two, "checkpoint.npz", 2), (the_end, "m.keras", 4)], ids=["epoch", "end"]
)
def test_what_was_trained_is_kept_and_goes_on(
    moment: Callable[[Event], bool], names: str, epoch: int, disk: Path, stripes: Path, tmp_path: Path
) -> None:
    output, folder = disk / "m.keras", disk / "m.training"
    with pytest.raises(SinkError, match=rf"{names}: No space left on device\.\n.*--resume goes on") as caught:
        trained(stripes, output, progress=full_at(disk, moment))
    assert len(str(caught.value).splitlines()) == 2
    assert sorted(path.name for path in disk.iterdir()) == ["ballast", "m.training"]
    assert {path.name for path in folder.iterdir()} == {
        *("augmented.png", "checkpoint.npz", "history.csv", "recipe.json", "split.csv", "tensorboard")
    }
    assert read_checkpoint(folder / "checkpoint.npz").standing.epoch == epoch
    assert json.loads((folder / "recipe.json").read_text())["seed"] == 3
    with (folder / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file, strict=True)] == [str(n + 1) for n in range(epoch)]
    (disk / "ballast").unlink()
    trained(stripes, output, resume=True)
    whole = trained(stripes, tmp_path / "whole.keras", record=False)
    assert all(np.array_equal(one, two) for one, two in zip(weights(output), weights(whole.path), strict=True))


def test_a_full_disk_of_scratch_files_is_named(
    disk: Path, stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    with pytest.raises(SinkError, match=rf"{disk}.*No space left on device.*\n.*TMPDIR.*--resume goes on"):
        trained(stripes, tmp_path / "m.keras", progress=full_at(disk, the_end))
    assert [path.name for path in disk.iterdir()] == ["ballast"]
    assert not (tmp_path / "m.keras").exists()
    assert (tmp_path / "m.training" / "checkpoint.npz").is_file()


def test_history_ends_with_a_whole_row(disk: Path) -> None:
    neighbour = Neighbour(disk / "m.keras")
    end = dataclasses.replace(END, phase="train" * 60)  # long rows: the logs beside them have room for longer
    neighbour.open({}, Split(("a",), ("b",), ("c",)), (end,))
    fill(disk)
    rows = 1
    with pytest.raises(SinkError, match=r"history\.csv: No space left on device\.\n"):  # noqa: PT012 - which row it is
        for _ in range(100):
            neighbour(end)
            rows += 1
    neighbour.close()
    text = (disk / "m.training" / "history.csv").read_text()
    assert text.endswith("\n")
    written = [tuple(row.values()) for row in csv.DictReader(text.splitlines(), strict=True)]
    assert written == [written[0]] * rows
    assert not list((disk / "m.training").glob(".*"))


def test_the_logs_of_tensorboard_tell_of_a_full_disk(disk: Path) -> None:
    log = EventLog(disk / "tensorboard")
    fill(disk)
    with pytest.raises(SinkError, match=r"tensorboard: No space left on device\."):  # noqa: PT012 - which epoch it is
        for number in range(1000):
            log.write(number + 1, END)
    log.close()
