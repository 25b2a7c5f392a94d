"""Annotated pictures and videos, read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.decisions import Rules
from orilla_runtime.errors import SinkError, UsageError
from orilla_runtime.sinks.annotated import AnnotatedSink
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.drawing import draw, layout_for
from orilla_runtime.sinks.registry import open_sink, sinks
from orilla_runtime.tasks.classification import Classification, Prediction
from tests.runtime.sinks.records import RESULT, failure_record, frame_record

WARNING = (60, 178, 255)
SIZES = [(8, 8), (1, 1), (20, 1200), (1200, 20), (720, 1280), (301, 457)]


def write(target: Path, records: list[Record]) -> None:
    sink = AnnotatedSink(target)
    for record in records:
        sink.write(record)
    sink.finish(Counts(len(records)))
    sink.close()
    sink.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_video(path: Path) -> tuple[list[np.ndarray], float]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("size", SIZES)
def test_a_drawing_keeps_the_picture_and_is_wide_enough_to_read(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    drawing = draw(image, RESULT)
    assert drawing.shape[1] >= 320
    assert drawing.shape[0] >= min(size[0], 240)
    assert drawing.shape[0] % 2 == drawing.shape[1] % 2 == 0
    # Nothing is drawn on the picture: as many of its pixels as it has, or more where it was enlarged.
    assert (drawing[: drawing.shape[0] - layout_for(image, RESULT).panel] == 200).all(axis=2).sum() >= size[0] * size[1]
    assert (image == 200).all()


def test_the_bar_grows_with_the_score_and_odd_results_are_drawn() -> None:
    image = np.zeros((240, 320, 3), np.uint8)

    def accent(score: float) -> int:
        drawing = draw(image, Classification((Prediction("猫" * 200, 3, score),)))
        return int((drawing == (181, 206, 45)).all(axis=2).sum())

    assert accent(0.0) == 0
    assert 0 < accent(0.25) < accent(0.5) < accent(1.0)
    assert accent(float("nan")) == 0
    assert accent(7.5) == accent(1.0)
    assert draw(image, object()).shape == (240, 320, 3)


def test_a_decision_stands_above_the_classes_and_unknown_is_a_warning() -> None:
    image = np.zeros((240, 320, 3), np.uint8)

    def drawn(rules: Rules | None, label: str = "tabby") -> np.ndarray:
        result = Classification((Prediction(label, 0, 0.75), Prediction("other", 1, 0.2)))
        return draw(image, result if rules is None else replace(result, decision=rules.decide(result.predictions)))

    def has(drawing: np.ndarray, colour: tuple[int, int, int]) -> bool:
        return bool((drawing == colour).all(axis=2).any())

    plain, known, unknown = drawn(None), drawn(Rules(0.5)), drawn(Rules(0.9))
    assert known.shape == unknown.shape
    assert known.shape[0] > plain.shape[0]
    assert has(unknown, WARNING)
    assert not has(known, WARNING)
    assert not has(plain, WARNING)
    # The reason stands beside it, as far as there is room.
    assert not np.array_equal(unknown, drawn(Rules(0.8)))
    assert drawn(Rules(0.9), "猫" * 300).shape == unknown.shape
    # A layout that was made for results without a decision keeps its size.
    result = Classification((Prediction("a", 0, 0.75),), Rules(0.9).decide((Prediction("a", 0, 0.75),)))
    assert draw(image, result, layout_for(image, object())).shape == (240, 320, 3)


def test_pictures_get_names_that_do_not_collide(tmp_path: Path) -> None:
    records = [frame_record("a/cat.jpg"), failure_record(), frame_record("b/cat.png"), frame_record("camera 0", 5)]
    records.append(frame_record("../odd\n\udcff:*?.jpg"))
    write(tmp_path / "out", records)
    assert names_in(tmp_path / "out") == [
        "camera 0-000003.jpg",
        "cat-000000.jpg",
        "cat-000002.jpg",
        "odd_____-000004.jpg",
    ]
    assert cv2.imread(str(tmp_path / "out" / "cat-000000.jpg")).shape[1] == 320


def test_frames_are_not_modified(tmp_path: Path) -> None:
    record = frame_record()
    assert record.frame is not None
    before = record.frame.image.copy()
    write(tmp_path / "out", [record])
    write(tmp_path / "out.avi", [record])
    assert np.array_equal(record.frame.image, before)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".MOV"])
def test_a_video_has_every_frame_and_the_rate_of_its_source(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    write(target, [frame_record("clip.mp4", index, pts=index / 24) for index in range(40)])
    frames, rate = read_video(target)
    assert len(frames) == 40
    assert rate == pytest.approx(24, rel=0.01)
    assert names_in(tmp_path) == [target.name]


def test_a_video_keeps_the_size_of_its_first_frame(tmp_path: Path) -> None:
    sizes = [(240, 320), (480, 640), (900, 30), (8, 8), (240, 320)]
    write(tmp_path / "out.avi", [frame_record(f"{n}.jpg", size=size) for n, size in enumerate(sizes)])
    frames, rate = read_video(tmp_path / "out.avi")
    assert len(frames) == 5
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert frames[0].shape[1] == 320
    assert rate == 2


def test_a_strip_becomes_a_video_too(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [frame_record("clip.mp4", size=(20, 12000), pts=0.0)])
    frames, _ = read_video(tmp_path / "out.mp4")
    assert frames[0].shape[1] == 3840


def test_a_video_that_was_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    sink = AnnotatedSink(tmp_path / "out.mp4")
    for index in range(9):
        sink.write(frame_record("clip.mp4", index, pts=index / 24))
    sink.close()
    assert names_in(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def test_a_run_without_frames_makes_no_video(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [failure_record()])
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["missing/out", "missing/out.mp4", "out.jpg", "out.webm", "file"])
def test_a_place_that_cannot_be_written_is_refused_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(SinkError):
        AnnotatedSink(tmp_path / name)
    assert names_in(tmp_path) == ["file"]


def test_sinks_are_found_by_name(tmp_path: Path) -> None:
    assert {"jsonl", "csv", "annotated", "window"} <= set(sinks())
    with pytest.raises(UsageError, match="no sink 'telegraph'"):
        open_sink("telegraph")
    with pytest.raises(UsageError, match="needs the name of a file"):
        open_sink("jsonl")


def test_another_package_brings_a_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "telegraph-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: telegraph\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[orilla.sinks]\ntelegraph = telegraph_sink:Telegraph\njsonl = nothing:x\n")
    (tmp_path / "telegraph_sink.py").write_text(
        "class Telegraph:\n"
        "    def __init__(self, target):\n"
        "        self.station = 1 / 0 if target == 'broken' else target\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert open_sink("telegraph", "Paris").station == "Paris"  # type: ignore[attr-defined]
    with pytest.raises(SinkError, match=r"The sink telegraph .* failed: division by zero"):
        open_sink("telegraph", "broken")
    with pytest.raises(UsageError, match="needs the name of a file"):
        open_sink("jsonl")


def test_without_a_screen_the_window_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match=r"headless build|no screen") as caught:
        open_sink("window")
    assert "--save" in caught.value.remedy
