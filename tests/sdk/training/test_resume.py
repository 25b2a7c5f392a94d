"""A training that was killed goes on from its checkpoint to the very same weights; one that does not fit is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.zoo import MODELS
from orilla.training import TrainResult, train
from orilla.training.checkpoint import read_checkpoint
from orilla.training.progress import EpochEnd, Event, Note, Phase
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import DataError, UsageError
from tests.sdk.training import tiny

OPTIONS: dict[str, Any] = {
    "seed": 5,
    "image_size": 8,
    "batch_size": 4,
    "augmentation": "flip,shift=0.1,rotation=15,brightness=0.2,erase=0.2",
    "dropout": 0.4,
    "validation": 0.2,
}

CHILD = """
import json, os, sys
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
from orilla.models.zoo import MODELS
from orilla.training import train
from orilla.training.progress import EpochEnd
from tests.sdk.training import tiny

MODELS.update(tiny.ENTRIES)
def tell(event):
    if isinstance(event, EpochEnd):
        print(event.phase, event.epoch, flush=True)
for options in json.loads(sys.argv[1]):
    train(**options, progress=tell)
"""


@pytest.fixture(autouse=True)
def _tiny_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, entry in tiny.ENTRIES.items():
        monkeypatch.setitem(MODELS, name, entry)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.draw_stripes(tmp_path_factory.mktemp("data") / "stripes", 60)


def weights(path: Path) -> list[Any]:
    keras, _ = keras_and_tensorflow()
    found: list[Any] = keras.saving.load_model(path, compile=False).get_weights()
    return found


def assert_same(one: Path, two: Path) -> None:
    """The same weights, bit for bit, and the same history."""
    assert all(np.array_equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))
    first, second = read_card(one), read_card(two)
    assert first is not None
    assert second is not None
    assert first.training["history"] == second.training["history"]
    assert first.training["best"] == second.training["best"]


def child(scratch: Path, *trainings: dict[str, Any]) -> subprocess.Popen[str]:
    command, environment = (
        [sys.executable, "-c", CHILD, json.dumps(list(trainings))],
        {**os.environ, "TMPDIR": str(scratch)},
    )
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def killed_and_resumed(whole: dict[str, Any], folder: Path, kill_after: str, pause: float) -> None:
    """Train to the end; again, with a kill `pause` seconds after an epoch's end; resume; compare."""
    first, second, scratch = folder / "whole.keras", folder / "killed.keras", folder / "scratch"
    scratch.mkdir()
    process = child(
        scratch, {**whole, "output": str(first)}, {**whole, "output": str(second), "checkpoint_seconds": 0.01}
    )
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += line.strip() == kill_after
        if seen == 2:  # the second training has come so far
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            break
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, errors
    assert first.is_file()
    assert not second.is_file(), "it was killed too late"
    assert not list(scratch.glob("orilla-*/*")), "its pictures would fill the disk"
    process = child(scratch, {**whole, "output": str(second), "checkpoint_seconds": 0.01, "resume": True})
    printed, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert kill_after not in printed.splitlines()
    assert_same(first, second)


def test_a_kill_in_mid_epoch_changes_no_bit(stripes: Path, tmp_path: Path) -> None:
    whole = {**OPTIONS, "data": str(stripes), "model": "tiny_transfer", "epochs": 14, "batch_size": 2, "patience": 14}
    killed_and_resumed(whole, tmp_path, "fine-tune 3", random.uniform(0, 0.2))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["small", "tiny_transfer"])
@pytest.mark.parametrize("attempt", range(5))
def test_a_kill_at_any_moment_changes_no_bit(model: str, attempt: int, stripes: Path, tmp_path: Path) -> None:
    phase, epoch = ("train" if model == "small" else random.choice(["head", "fine-tune"])), random.randint(1, 4)
    whole = {**OPTIONS, "data": str(stripes), "model": model, "epochs": 30, "patience": 30, "head_epochs": 30}
    killed_and_resumed(whole, tmp_path, f"{phase} {epoch}", random.uniform(0, 0.5))


def stop_at(phase: str, epoch: int) -> Callable[[Event], None]:
    def stop(event: Event) -> None:
        if isinstance(event, EpochEnd) and (event.phase, event.epoch) == (phase, epoch):
            raise KeyboardInterrupt

    return stop


def trained(stripes: Path, output: Path, **changes: Any) -> TrainResult:
    options = {"model": "tiny", "epochs": 4, **OPTIONS, **changes}
    return train(stripes, output=output, **options)


def test_both_phases_of_a_transfer_and_every_state_go_on(stripes: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.keras", tmp_path / "parts.keras"
    options: dict[str, Any] = {
        "model": "tiny_transfer",
        "head_epochs": 3,
        "epochs": 4,
        "optimizer": "sgd",
        "weight_decay": 1e-3,
        "schedule": "plateau",
        "patience": 2,
        "class_weights": "balanced",
        "label_smoothing": 0.1,
    }
    result = trained(stripes, whole, **options)
    checkpoint = tmp_path / "parts.training" / "checkpoint.npz"
    for phase, epoch in (("head", 2), ("fine-tune", 1), ("fine-tune", result.history[-1].epoch)):
        with pytest.raises(KeyboardInterrupt):
            trained(stripes, parts, **options, resume=True, progress=stop_at(phase, epoch))
        standing = read_checkpoint(checkpoint).standing
        assert (standing.phase, standing.epoch) == (phase, epoch)
    events: list[Event] = []
    resumed = trained(stripes, parts, **options, resume=True, progress=events.append)
    assert not checkpoint.exists()
    assert not [event for event in events if isinstance(event, EpochEnd)]
    assert_same(whole, parts)
    assert [end.phase for end in resumed.history] == [end.phase for end in result.history]
    histories = [(path.parent / f"{path.stem}.training" / "history.csv").read_text() for path in (whole, parts)]
    without_seconds = [
        [",".join(cell for place, cell in enumerate(line.split(",")) if place != 8) for line in history.splitlines()]
        for history in histories
    ]
    assert without_seconds[0] == without_seconds[1]


@pytest.fixture(scope="module")
def unfinished(stripes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was stopped after its first epoch: its model's path."""
    output = tmp_path_factory.mktemp("unfinished") / "m.keras"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "tiny", tiny.ENTRIES["tiny"])  # type: ignore[misc]
        with pytest.raises(KeyboardInterrupt):
            trained(stripes, output, progress=stop_at("train", 1))
    return output


@pytest.fixture
def stopped(unfinished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "m.training"
    folder.mkdir()
    (folder / "checkpoint.npz").write_bytes((unfinished.parent / "m.training" / "checkpoint.npz").read_bytes())
    return tmp_path / "m.keras"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"learning_rate": 0.5}, "learning_rate=0.01 where it is 0.5 now"),
        ({"epochs": 9}, "epochs=4 where it is 9 now"),
        ({"seed": 6}, "another split; seed=5"),
        ({"augmentation": "flip"}, "augmentation="),
        ({"image_size": 12}, r"size=\[8, 8\] where it is \[12, 12\] now"),
    ],
)
def test_other_options_are_refused_by_name(changes: dict[str, Any], says: str, stopped: Path, stripes: Path) -> None:
    with pytest.raises(UsageError, match=says):
        trained(stripes, stopped, resume=True, **changes)


def test_a_file_of_weights_counts_by_what_is_in_it(stripes: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": "tiny_transfer", "head_epochs": 2, "epochs": 0}
    output, first, moved = tmp_path / "m.keras", tmp_path / "net.h5", tmp_path / "moved.h5"
    first.write_bytes(b"weights")
    with pytest.raises(KeyboardInterrupt):
        trained(stripes, output, weights=first, **options, progress=stop_at("head", 1))
    moved.write_bytes(b"other weights")
    with pytest.raises(UsageError, match=r"weights='sha256 [0-9a-f]{64}' where it is 'sha256"):
        trained(stripes, output, weights=moved, **options, resume=True)
    first.replace(moved)
    result = trained(stripes, output, weights=moved, **options, resume=True)
    assert [end.epoch for end in result.history] == [1, 2]


def test_other_pictures_are_refused(stopped: Path, tmp_path: Path) -> None:
    data = tiny.draw_stripes(tmp_path / "other", 62)
    with pytest.raises(UsageError, match="other pictures or labels; another split"):
        trained(data, stopped, resume=True)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def other(data: bytes) -> bytes:
    return b"nothing of the kind"


@pytest.mark.parametrize("spoil", [cut, flipped, other])
def test_a_damaged_checkpoint_is_refused(spoil: Callable[[bytes], bytes], stopped: Path, stripes: Path) -> None:
    path = stopped.parent / "m.training" / "checkpoint.npz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"checkpoint\.npz is damaged"):
        trained(stripes, stopped, resume=True)


def first_note(stripes: Path, output: Path, **changes: Any) -> str:
    """The first note of a training that ends when pictures are read."""
    notes: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, Phase):
            raise KeyboardInterrupt
        if isinstance(event, Note):
            notes.append(event.text)

    with pytest.raises(KeyboardInterrupt):
        trained(stripes, output, progress=tell, **changes)
    return notes[0]


def test_what_is_not_finished_and_what_is_not_there_are_told(stopped: Path, stripes: Path, tmp_path: Path) -> None:
    assert "add --resume" in first_note(stripes, stopped)
    assert "begins anew" in first_note(stripes, tmp_path / "new.keras", resume=True)
