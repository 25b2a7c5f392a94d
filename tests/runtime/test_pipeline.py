"""The loop: order, counts, limits, stop, and sinks that are closed whatever happens."""

from __future__ import annotations

import gc
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import ModelError, SinkError, SourceError, UsageError
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline import MAX_FAILURES, Pipeline, run
from orilla_runtime.sinks.base import Counts, Record, StopRun
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.registry import open_source
from tests.runtime.sinks.records import frame_record

Unzip = Callable[[str], Path]


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Iterator[Model]:
    with load(shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite", threads=1) as loaded:
        yield loaded


@pytest.fixture
def videos(unzipped: Unzip) -> Path:
    return unzipped("video.zip")


class Listed:
    """A source of given items; `live` ones never end."""

    total = None
    dropped = 3

    def __init__(self, items: list[Frame | Failure | Exception], *, live: bool = False, name: str = "listed") -> None:
        self.items, self.live, self.name, self.closed = items, live, name, 0

    def __iter__(self) -> Iterator[Frame | Failure]:
        while True:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield item
            if not self.live:
                return

    def close(self) -> None:
        self.closed += 1


class Recording:
    """A sink that remembers what it was told, and fails where it is told to."""

    def __init__(self, fail_in: str = "", error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.records: list[Record] = []
        self.fail_in, self.error = fail_in, error or RuntimeError("out of paper")

    def write(self, record: Record) -> None:
        self.records.append(record)
        self._note("write")

    def finish(self, counts: Counts) -> None:
        self.counts = counts
        self._note("finish")

    def close(self) -> None:
        self._note("close")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fail_in:
            raise self.error


def frames(count: int) -> list[Frame | Failure | Exception]:
    made = [frame_record("clip", index, pts=index / 25).frame for index in range(count)]
    return [frame for frame in made if frame is not None]


def test_a_video_gives_every_frame_in_order_and_none_is_overwritten(model: Model, videos: Path) -> None:
    records = list(run(model, videos / "photos_h264.mp4"))
    capture = cv2.VideoCapture(str(videos / "photos_h264.mp4"))
    assert len(records) == 96
    for index, record in enumerate(records):
        read, image = capture.read()
        assert read
        assert record.frame is not None
        assert record.frame.index == index
        assert np.array_equal(record.frame.image, image)
        assert record.result == model(image)
    assert not capture.read()[0]


def test_a_record_unpacks_and_says_what_it_cost_and_what_ran_it(model: Model, videos: Path) -> None:
    with run(model, videos / "one_frame.mp4") as records:
        for record in records:
            frame, result = record
            assert frame.source.endswith("one_frame.mp4")
            assert result.top.label == "menu"
            assert record.timing is not None
            assert min(record.timing.decode, record.timing.preprocess, record.timing.infer) > 0
            assert record.bundle is None
            assert record.artifact == "mobilenet_v1_0.25_224_quant.tflite"
            assert record.engine == "litert/cpu"
    assert records.counts == Counts(1, 0, 0)


def test_a_path_to_a_model_is_opened_with_options(shared_data: Path, videos: Path) -> None:
    path = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    (record,) = run(path, videos / "one_frame.mp4", top=2, threads=1)
    assert len(record.result.predictions) == 2
    with load(path) as loaded, pytest.raises(UsageError, match="takes no options"):
        run(loaded, videos / "one_frame.mp4", top=2)


def test_failures_are_counted_written_and_logged_and_the_run_goes_on(
    model: Model, videos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Recording()
    names = ["empty.mp4", "one_frame.mp4", "text.mp4", "truncated_index_first.mp4"]
    pipeline = run(model, [videos / name for name in names], sinks=[sink])
    with caplog.at_level(logging.WARNING):
        assert pipeline.run() == Counts(47, 3, 0)
    assert len(sink.records) == 50
    assert [Path(failure.source).name for failure in pipeline.failures] == [names[0], names[2], names[3]]
    assert len(caplog.records) == 3
    assert sink.counts == pipeline.counts


def test_a_source_that_breaks_is_a_failure_and_the_next_is_read(model: Model) -> None:
    broken = Listed([*frames(2), SourceError("The lens fell off.")], name="broken")
    pipeline = Pipeline(model, [broken, Listed(frames(3))])
    assert pipeline.run() == Counts(5, 1, 6)
    assert [(one.source, one.index, one.error) for one in pipeline.failures] == [("broken", 2, "The lens fell off.")]


def test_failures_are_counted_beyond_those_that_are_kept(model: Model) -> None:
    pipeline = Pipeline(model, Listed([Failure("x", index, "no") for index in range(MAX_FAILURES + 20)]))
    assert pipeline.run().failed == MAX_FAILURES + 20
    assert len(pipeline.failures) == MAX_FAILURES


def test_limits_and_stop_end_a_source_that_never_ends(model: Model) -> None:
    assert len(list(Pipeline(model, Listed(frames(2), live=True), max_frames=5))) == 5
    assert Pipeline(model, Listed(frames(2), live=True), duration=0.2).run().processed >= 1
    pipeline = Pipeline(model, Listed(frames(2), live=True))
    threading.Timer(0.2, pipeline.stop).start()
    assert pipeline.run().processed >= 1
    assert pipeline.stopped


def test_a_limit_reads_no_frame_more_than_it_allows(model: Model) -> None:
    items = [*frames(2), RuntimeError("read too far")]
    assert Pipeline(model, Listed(items), max_frames=2).run().processed == 2


@pytest.mark.parametrize("end", ["exhausted", "break", "close", "unstarted"])
def test_sinks_and_sources_are_closed_however_the_loop_ends(model: Model, end: str) -> None:
    sink, source = Recording(), Listed(frames(3))
    pipeline = Pipeline(model, source, [sink])
    if end == "exhausted":
        pipeline.run()
    elif end != "unstarted":
        next(pipeline)
    if end == "break":
        del pipeline
        gc.collect()
    else:
        pipeline.close()
        pipeline.close()
    assert sink.calls[-2:] == ["finish", "close"]
    assert sink.calls.count("close") == 1
    assert source.closed


def test_a_loop_that_is_left_finishes_its_sinks_at_once(model: Model, tmp_path: Path) -> None:
    for _ in Pipeline(model, Listed(frames(3)), [JsonlSink(tmp_path / "out.jsonl")]):
        break
    assert [json.loads(line)["index"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [0]


@pytest.mark.parametrize("call", ["write", "finish", "close"])
def test_a_sink_that_fails_ends_the_run_and_the_others_are_whole(model: Model, call: str) -> None:
    before, after = Recording(), Recording()
    pipeline = Pipeline(model, Listed(frames(3)), [before, Recording(call), after])
    with pytest.raises(SinkError, match="Recording failed: RuntimeError: out of paper"):
        pipeline.run()
    written = 1 if call == "write" else 3
    assert before.calls == after.calls == ["write"] * written + ["finish", "close"]
    assert list(pipeline) == []


def test_a_sink_may_ask_for_the_end(model: Model) -> None:
    other = Recording()
    pipeline = Pipeline(model, Listed(frames(3)), [Recording("write", StopRun()), other])
    assert len(list(pipeline)) == 1
    assert other.calls == ["write", "finish", "close"]


def test_a_model_that_fails_ends_the_run_with_its_error(model: Model) -> None:
    class Ruined:
        bundle_id, artifact, engine = None, "ruined.tflite", "litert/cpu"

        def process(self, image: object) -> None:
            raise ModelError("The model's scores are not finite numbers.")

    sink, source = Recording(), Listed(frames(3))
    with pytest.raises(ModelError, match="not finite"):
        Pipeline(Ruined(), source, [sink]).run()  # type: ignore[arg-type]
    assert sink.calls == ["finish", "close"]
    assert source.closed


def test_what_does_not_fit_is_refused(model: Model, videos: Path) -> None:
    camera = Listed(frames(1), live=True)
    with pytest.raises(UsageError, match="camera cannot be run together"):
        Pipeline(model, [camera, open_source(videos / "one_frame.mp4")])
    with pytest.raises(UsageError, match="no source"):
        Pipeline(model, [])
    with pytest.raises(UsageError, match="max_frames=0"):
        Pipeline(model, camera, max_frames=0)
    with pytest.raises(UsageError, match="duration=nan"):
        Pipeline(model, camera, duration=float("nan"))
    with pytest.raises(SourceError):
        run(model, videos / "missing.mp4")


@pytest.mark.parametrize("live", [False, True])
def test_pictures_of_a_programs_own_source_reach_every_sink_as_bgr(model: Model, tmp_path: Path, live: bool) -> None:
    shapes: list[tuple[int, ...]] = [(48, 64), (48, 64, 1), (48, 64, 4), (24, 32, 3), (48, 64, 2)]
    made = [
        replace(frame, image=np.full(shape, 90, np.uint8))
        for frame, shape in zip(frames(5), shapes, strict=True)
        if isinstance(frame, Frame)
    ]
    sinks = [Recording(), open_sink("annotated", tmp_path)]
    with Pipeline(model, Listed([*made], live=live), sinks, max_frames=5) as pipeline:
        counts = pipeline.run()
    assert (counts.processed > 0, counts.failed > 0) == (True, True)
    seen = [record.frame.image.shape for record in sinks[0].records if record.frame]  # type: ignore[attr-defined]
    assert {shape[2] for shape in seen} == {3}
    (failure, *_) = pipeline.failures
    assert failure.error == "clip: A frame must have 1, 3 or 4 channels, not the shape [48, 64, 2]."


def test_what_is_no_frame_is_named(model: Model) -> None:
    nonsense: list[Any] = [np.zeros((4, 4, 3), np.uint8)]
    with pytest.raises(UsageError, match="gave a ndarray"):
        Pipeline(model, Listed(nonsense)).run()
    pipeline = Pipeline(model, Listed(nonsense, live=True), duration=5)
    assert pipeline.run() == Counts(0, 1, 3)
    assert "gave a ndarray" in pipeline.failures[0].error
