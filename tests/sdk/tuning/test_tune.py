"""A search with real trainings: shared by two workers, killed, resumed, interrupted; never worse than the default."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla.cli.train import command as train_command
from orilla.tuning import tune
from orilla.tuning.progress import Began, Epoch, Event, Note, Opened
from orilla.tuning.records import Trial, counted
from orilla.tuning.study import JOURNAL
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import DataError, OrillaError, SinkError, UsageError
from tests.sdk.training.tiny import draw_stripes

FIXED: dict[str, Any] = {"epochs": 2, "image_size": 8, "seed": 3}
OPTIONS = ("--image-size", "8", "--seed", "3")
TRIALS = 3
FILES = ("best.json", "best.keras", "search.png", "settings.json", "study.log", "trials.csv")


def command(data: Path, study: Path, trials: int, *more: str, epochs: int = 2) -> subprocess.Popen[str]:
    words = ["tune", data, "--output", study, "--trials", trials, "--epochs", epochs, *OPTIONS, *more]
    line = [sys.executable, "-c", "from orilla.cli import main; main()", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_epoch(study: Path, process: int) -> None:
    """Until the journal shows an epoch of a trial that this process runs."""
    mine: set[int] = set()
    until = time.monotonic() + 300
    while time.monotonic() < until:
        journal = study / JOURNAL
        for line in journal.read_bytes().splitlines() if journal.exists() else []:
            entry = json.loads(line) if line.endswith(b"}") else {}
            if f"-{process}-" in str(entry.get("user_attr", {}).get("worker", "")):
                mine.add(entry["trial_id"])
            if "intermediate_value" in entry and entry["trial_id"] in mine:
                return
        time.sleep(0.02)
    raise AssertionError("no epoch of that worker")


@dataclass(frozen=True)
class Searched:
    """A search that two workers shared until one was killed in the middle of a trial; the other finished it."""

    data: Path
    study: Path
    printed: str
    told: str


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("tuning")
    data, study = draw_stripes(folder / "data", side=8), folder / "study"
    killed, other = command(data, study, TRIALS), command(data, study, TRIALS, "--json")
    try:
        wait_for_epoch(study, killed.pid)
        killed.kill()
        printed, told = other.communicate(timeout=900)
    finally:
        for process in (killed, other):
            process.kill()
            process.communicate()
    assert other.returncode == 0, told
    return Searched(data, study, printed, told)


def test_the_work_of_a_killed_worker_is_done_by_the_other(searched: Searched) -> None:
    result = json.loads(searched.printed)
    assert result["finished"] is True
    trials = [Trial(**each) for each in result["trials"]]
    assert len(counted(trials)) == TRIALS
    assert {trial.state for trial in counted(trials)} <= {"done", "pruned"}
    (lost,) = (trial for trial in trials if trial.state == "lost")
    again = [trial for trial in counted(trials) if trial.deaths == 1]
    assert [(trial.values, trial.default) for trial in again] == [(lost.values, lost.default)]
    assert f"{TRIALS} of {TRIALS}" not in searched.told
    assert f"note: The worker of trial {lost.number} died" in searched.told
    known = ("trial ", "note: ", "waiting", str(searched.study))
    assert all(line.startswith(known) for line in searched.told.splitlines()), searched.told


def test_the_best_is_not_worse_than_the_default(searched: Searched) -> None:
    result = json.loads(searched.printed)
    best, default = result["best"], result["default"]
    assert (best["accuracy"], -best["loss"]) >= (default["accuracy"], -default["loss"])
    assert (result["chance"] is None) == (best["number"] == default["number"])
    assert result["chance"] is None or 0 < result["chance"] <= 1
    assert default["changes"] == {"epochs": 2, "image_size": 8}
    for judged in (best, default):
        assert judged["test"]["n"] == 8
        assert 0 <= judged["test"]["low"] <= judged["test"]["top1"] <= judged["test"]["high"] <= 1


def test_what_the_folder_holds(searched: Searched) -> None:
    result = json.loads(searched.printed)
    names = {path.name for path in searched.study.iterdir()}
    assert names == {
        "best.json",
        "best.keras",
        "search.png",
        "settings.json",
        "study.log",
        "trials",
        "trials.csv",
        "workers",
    }
    kept = {f"{result[name]['number']:05}" for name in ("best", "default")}
    assert {path.name for path in (searched.study / "trials").iterdir()} == kept, "only what is needed is kept"
    assert not list((searched.study / "workers").iterdir())
    card = read_card(searched.study / "best.keras")
    assert card is not None
    assert card.training["best"]["val_accuracy"] == result["best"]["accuracy"]
    with (searched.study / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [trial["number"] for trial in result["trials"]]
    assert {"learning_rate", "batch_size", "dropout"} <= set(rows[0])
    plot = cv2.imread(str(searched.study / "search.png"))
    assert plot is not None
    assert plot.std() > 5


def test_its_command_is_one_that_train_takes(searched: Searched) -> None:
    best = json.loads((searched.study / "best.json").read_text(encoding="utf-8"))
    program, name, *words = shlex.split(best["command"])
    assert (program, name) == ("orilla", "train")
    given = train_command.make_context("train", words).params
    assert given["data"] == str(searched.data)
    assert best["changes"].items() <= given.items()


def test_the_same_call_goes_on(searched: Searched) -> None:
    events: list[Event] = []
    more = tune(searched.data, output=searched.study, trials=TRIALS + 1, progress=events.append, **FIXED)
    assert more.finished
    assert len(counted(more.trials)) == TRIALS + 1
    (opened,) = (event for event in events if isinstance(event, Opened))
    assert opened.finished == TRIALS
    assert len([event for event in events if isinstance(event, Began)]) == 1
    again = tune(searched.data, output=searched.study, trials=TRIALS, progress=events.append, **FIXED)
    assert len([event for event in events if isinstance(event, Began)]) == 1, "nothing is left to do"
    assert again.best == more.best

    assert more.best is not None
    lost = searched.study / "trials" / f"{more.best.number:05}" / "model.keras"
    lost.unlink()
    healed = tune(searched.data, output=searched.study, trials=TRIALS, progress=events.append, **FIXED)
    assert any(isinstance(event, Note) and "trained again" in event.text for event in events)
    assert healed.best == more.best


def test_another_search_in_the_same_folder_is_refused(searched: Searched) -> None:
    with pytest.raises(UsageError, match="what is searched"):
        tune(searched.data, output=searched.study, trials=TRIALS, search=["dropout=0..0.1"], **FIXED)
    cv2.imwrite(str(searched.data / "lying" / "new.png"), np.zeros((8, 8, 3), np.uint8))
    try:
        with pytest.raises(UsageError, match="the pictures are others"):
            tune(searched.data, output=searched.study, trials=TRIALS, **FIXED)
    finally:
        (searched.data / "lying" / "new.png").unlink()


def test_a_storage_that_is_not_there_does_not_decide_what_the_folder_is_for(tmp_path: Path) -> None:
    data, study = draw_stripes(tmp_path / "data", side=8), tmp_path / "study"
    options: dict[str, Any] = {**FIXED, "trials": 1, "timeout": 1e-9}
    for storage in (f"sqlite:///{tmp_path}/no/study.db", "nothing://ana:secret@host/study"):
        with pytest.raises(SinkError, match="the study cannot be opened: ") as caught:
            tune(data, output=study, storage=storage, **options)
        assert "secret" not in str(caught.value)
    result = tune(data, output=study, storage=f"sqlite:///{tmp_path}/study.db", **options)
    assert [trial.state for trial in result.trials] == ["waiting"]


def test_a_storage_that_breaks_in_the_middle_of_a_trial_is_told(tmp_path: Path) -> None:
    data, storage = draw_stripes(tmp_path / "data", side=8), tmp_path / "study.db"

    def ruin(event: Event) -> None:
        if isinstance(event, Epoch):
            storage.write_bytes(b"no database" * 1000)

    with pytest.raises(
        SinkError, match=r"study\.db: the study breaks off: .*\n.*the same command then goes on"
    ) as caught:
        tune(data, output=tmp_path / "study", storage=f"sqlite:///{storage}", trials=2, progress=ruin, **FIXED)
    assert len(str(caught.value).splitlines()) == 2


def test_a_study_among_the_pictures_is_refused(tmp_path: Path) -> None:
    data = draw_stripes(tmp_path / "data", side=8)
    with pytest.raises(UsageError, match="among the class folders"):
        tune(data, output=data / "study", trials=1, **FIXED)
    assert sorted(path.name for path in data.iterdir()) == ["lying", "standing"]


def test_failures_are_noted_and_the_search_goes_on(tmp_path: Path) -> None:
    data = draw_stripes(tmp_path / "data", side=8)
    search = ["weight_decay=0.1|0.2", "optimizer=adam"]  # The default has no weight decay.
    result = tune(data, output=tmp_path / "study", trials=5, search=search, **FIXED)
    assert [trial.state for trial in result.trials] == ["done", *["failed"] * 4]
    assert all("weight_decay" in trial.reason for trial in result.trials[1:])
    assert result.finished
    assert result.best is not None
    assert result.best == result.default
    assert "no trial was better" in result.summary


def test_when_every_trial_fails_the_first_reason_is_told(tmp_path: Path) -> None:
    data = draw_stripes(tmp_path / "data", side=8)
    with pytest.raises(OrillaError, match="weight_decay does nothing"):
        tune(data, output=tmp_path / "study", trials=9, search=["weight_decay=0.1", "optimizer=adam"], **FIXED)


def test_a_fault_of_the_pictures_ends_the_search(tmp_path: Path) -> None:
    data = draw_stripes(tmp_path / "data", side=8)
    for path in (data / "lying").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError):
        tune(data, output=tmp_path / "study", trials=9, **FIXED)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
def test_ctrl_c_gives_the_trial_back_and_says_how_to_go_on(tmp_path: Path) -> None:
    data, study = draw_stripes(tmp_path / "data", side=8), tmp_path / "study"
    with command(data, study, 1, epochs=500) as process:
        wait_for_epoch(study, process.pid)
        os.kill(process.pid, signal.SIGINT)
        printed, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "0 of 1 trials are over" in printed
    assert "The same command goes on" in told
    assert "Traceback" not in told
    assert not list((study / "workers").iterdir())
    assert not (study / "best.keras").exists(), "the test is for the end"

    ended: list[Event] = []
    options = {**FIXED, "epochs": 500}
    result = tune(data, output=study, trials=1, progress=ended.append, timeout=1e-9, **options)
    assert [trial.state for trial in result.trials] == ["lost", "waiting"]
    assert result.trials[1].default
    assert not [event for event in ended if isinstance(event, Began)], "the time is over"


@pytest.mark.slow
def test_twelve_trials_on_digits(digits_folder: Path, tmp_path: Path) -> None:
    """Killed and resumed, then two workers at once, one of them with a helper."""
    study = tmp_path / "study"
    first = command(digits_folder, study, 12, epochs=6)
    wait_for_epoch(study, first.pid)
    first.kill()
    first.communicate()
    both = [command(digits_folder, study, 12, "--json", *more, epochs=6) for more in ((), ("--jobs", "2"))]
    results = []
    for process in both:
        printed, told = process.communicate(timeout=1800)
        assert process.returncode == 0, told
        results.append(json.loads(printed))
    assert results[0]["best"] == results[1]["best"]
    assert len(counted(Trial(**each) for each in results[0]["trials"])) == 12
    best, default = results[0]["best"], results[0]["default"]
    assert best["accuracy"] >= default["accuracy"]
