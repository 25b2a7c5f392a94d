"""Pictures for retraining: of unsure frames alone, never more than the cap, not one a frame of a stuck camera."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.decisions import Decider, Rules
from orilla_runtime.errors import SinkError, UsageError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.unsure import UnsureSink
from orilla_runtime.timing import Timing
from tests.runtime.sinks.records import RESULT, failure_record, frame_record

LABELS = [one.label for one in RESULT.predictions]
UNSURE = Decider(Rules(threshold=0.9), LABELS)
SURE = Decider(Rules(threshold=0.5), LABELS)


def noise(record: Record, seed: int = 0, side: int = 100) -> Record:
    assert record.frame is not None
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return replace(record, frame=replace(record.frame, image=image))


def at(seconds: float, source: str = "line 3", index: int = 0) -> Record:
    record = UNSURE(frame_record(source, index))
    assert record.frame is not None
    frame = replace(record.frame, captured_ns=int(seconds * 1e9))
    return replace(record, frame=frame, timing=Timing(1.0, 1.0, 1.0, 1.0, 3.0))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_unsure_frames_are_saved_and_nothing_else(tmp_path: Path) -> None:
    sink = UnsureSink(tmp_path / "unsure")
    for record in (frame_record("sure.jpg"), SURE(frame_record("sure.jpg")), failure_record(), frame_record(result=7)):
        sink.write(record)
    sink.write(UNSURE(frame_record("b/line 3.png", 42)))
    sink.write(UNSURE(frame_record("a/line 3.jpg", 42)))
    sink.finish(Counts(6))
    sink.close()
    stem = "20300517T083000.250Z_line-3_000042_tabby"
    assert names(tmp_path / "unsure") == [f"{stem}-2.jpg", f"{stem}.jpg"]
    read = cv2.imread(str(tmp_path / "unsure" / f"{stem}.jpg")).astype(int)
    image = frame_record().frame.image  # type: ignore[union-attr]
    assert read.shape == image.shape
    assert np.abs(read - image).mean() < 2


def test_png_keeps_every_pixel_and_odd_labels_make_no_odd_names(tmp_path: Path) -> None:
    sink = UnsureSink(tmp_path, kind="png")
    record = noise(UNSURE(frame_record("rtsp://cam/../x?y")))
    odd = replace(record.result, predictions=(replace(RESULT.predictions[0], label="../../a\0b/c"),))
    sink.write(replace(record, result=odd))
    (path,) = tmp_path.iterdir()
    assert path.name.endswith("_a_b_c.png") or "a_b_c" in path.name
    assert record.frame is not None
    assert np.array_equal(cv2.imread(str(path)), record.frame.image)


def test_the_cap_counts_what_is_there_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "of yesterday.jpg").write_bytes(b"0" * 60_000)
    sink = UnsureSink(tmp_path, limit_mb=0.1)
    with caplog.at_level(logging.WARNING):
        for index in range(30):
            sink.write(noise(UNSURE(frame_record(index=index)), index))
    used = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 60_000 < used <= 100_000
    assert len([one for one in caplog.records if "is full" in one.getMessage()]) == 1


def test_room_that_was_made_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orilla_runtime.sinks.unsure._COUNT_AGAIN", 0.0)
    old = tmp_path / "of yesterday.jpg"
    old.write_bytes(b"0" * 99_999)
    sink = UnsureSink(tmp_path, limit_mb=0.1)
    sink.write(noise(UNSURE(frame_record()), 1))
    assert names(tmp_path) == [old.name]
    old.unlink()
    sink.write(noise(UNSURE(frame_record()), 1))
    assert len(names(tmp_path)) == 1


def test_a_folder_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    sink = UnsureSink(tmp_path / "unsure")
    sink.write(noise(UNSURE(frame_record()), 1))
    (tmp_path / "unsure").rename(tmp_path / "for the desk")
    sink.write(noise(UNSURE(frame_record(index=1)), 1))
    assert len(names(tmp_path / "unsure")) == len(names(tmp_path / "for the desk")) == 1


def test_two_runs_share_the_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orilla_runtime.sinks.unsure._COUNT_AGAIN", 0.0)
    sinks = UnsureSink(tmp_path, limit_mb=0.1), UnsureSink(tmp_path, limit_mb=0.1)
    for index in range(30):
        for sink in sinks:
            sink.write(noise(UNSURE(frame_record(index=index)), index))
    assert 50_000 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000


def test_of_a_live_source_one_a_second_and_of_each_on_its_own(tmp_path: Path) -> None:
    sink = UnsureSink(tmp_path)
    for index in range(50):
        sink.write(at(index / 20, index=index))
        sink.write(at(index / 20, "line 4", index))
    assert [name.split("_")[1:3] for name in sorted(names(tmp_path), key=lambda name: name.split("_")[1:3])] == [
        [line, number] for line in ("line-3", "line-4") for number in ("000000", "000020", "000040")
    ]
    every = UnsureSink(tmp_path / "every", seconds=0)
    for index in range(5):
        every.write(at(index / 1000, index=index))
    assert len(names(tmp_path / "every")) == 5


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for wrong in ({"limit_mb": 0}, {"limit_mb": float("nan")}, {"kind": "gif"}, {"seconds": -1}):
        with pytest.raises(UsageError):
            UnsureSink(tmp_path, **wrong)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "no" / "folder", tmp_path / "file"):
        with pytest.raises(SinkError):
            UnsureSink(place)
