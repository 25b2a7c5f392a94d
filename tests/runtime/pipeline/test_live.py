"""Live runs: the newest frame of every camera in its turn, and no camera that touches another."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from orilla_runtime.errors import UsageError
from orilla_runtime.pipeline import MAX_FAILURES, Pipeline
from orilla_runtime.sinks.base import Counts, Record, StopRun
from orilla_runtime.sources.base import Failure, Frame
from tests.runtime.pipeline.stage import Camera, Clip, Ledger, Paper, Shows, frame, wait_for


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("orilla worker")])


def in_background(pipeline: Pipeline) -> tuple[threading.Thread, list[Record]]:
    records: list[Record] = []
    thread = threading.Thread(target=lambda: records.extend(pipeline), daemon=True)
    thread.start()
    return thread, records


def done(thread: threading.Thread) -> bool:
    thread.join(20)
    return not thread.is_alive()


def test_a_slow_model_gets_the_newest_frame_and_the_rest_are_counted() -> None:
    camera, model = Camera(), Shows()
    pipeline = Pipeline(model, camera)
    model.may_run.clear()
    thread, records = in_background(pipeline)
    camera.shoot(0)
    wait_for(lambda: camera.given == 1)
    time.sleep(0.01)
    for number in range(1, 8):
        camera.shoot(number)
    wait_for(lambda: pipeline.counts.dropped >= 6)
    model.may_run.set()
    wait_for(lambda: len(records) == 2)
    camera.give(None)
    assert done(thread)
    assert [record.result for record in records] == [0, 7]
    assert pipeline.counts == Counts(2, 0, 6)


def test_a_slow_caller_gets_a_frame_that_was_taken_when_it_asked() -> None:
    camera = Camera()
    pipeline = Pipeline(Shows(), camera)
    camera.shoot(0)
    assert next(pipeline).result == 0
    for number in range(1, 30):
        camera.shoot(number)
    wait_for(lambda: camera.given == 30)
    wait_for(lambda: pipeline.counts.dropped == 28)
    assert next(pipeline).result == 29
    pipeline.close()


def test_the_age_of_the_frame_is_measured_for_live_sources_only() -> None:
    camera, old = Camera(), frame(3)
    camera.give(replace(old, captured_ns=old.captured_ns - 5_000_000_000), None)
    (record,) = Pipeline(Shows(), camera)
    assert record.timing is not None
    assert record.timing.age is not None
    assert 5000 <= record.timing.age < 25_000
    (record,) = Pipeline(Shows(), Clip([frame(0)]))
    assert record.timing is not None
    assert record.timing.age is None


def test_several_cameras_take_turns_however_fast_one_of_them_is() -> None:
    """One camera never pauses, the others give a frame when their last one has its verdict."""

    class Fast(Camera):
        def __iter__(self) -> Iterator[Frame | Failure]:
            number = 0
            while not self.closed:
                self.given += 1
                yield frame(number, self.name)
                number += 1

    fast, slow = Fast("fast"), [Camera(f"slow {number}") for number in range(3)]
    for camera in slow:
        camera.shoot(0)
    seen: Counter[str] = Counter()
    pipeline = Pipeline(Shows(cpu_threads=2), [fast, *slow])
    for shown, _ in pipeline:
        seen[shown.source] += 1
        for camera in slow:
            if camera.name == shown.source:
                camera.shoot(seen[camera.name])
        if min(seen[camera.name] for camera in slow) >= 20:
            break
    assert set(seen) == {"fast", "slow 0", "slow 1", "slow 2"}
    assert seen["fast"] < 200


def test_the_records_of_each_camera_are_in_order_and_the_counts_reconcile() -> None:
    cameras = [Camera(f"camera {number}") for number in range(4)]
    model = Shows(cpu_threads=3)
    pipeline = Pipeline(model, cameras)
    thread, records = in_background(pipeline)
    for number in range(300):
        for camera in cameras[: 1 + number % 4]:
            camera.shoot(number % 256)
        if number % 50 == 0:
            cameras[0].give(Failure("camera 0", number, f"hiccup {number}"))
        if number % 10 == 0:
            time.sleep(0.001)
    for camera in cameras:
        camera.give(None)
    assert done(thread)
    counts = pipeline.counts
    assert counts.failed == 6
    assert (
        counts.captured == sum(camera.given for camera in cameras) == counts.processed + counts.failed + counts.dropped
    )
    assert counts.processed == len(records)
    for camera in cameras:
        indexes = [r.frame.captured_ns for r in records if r.frame and r.frame.source == camera.name]
        assert indexes == sorted(indexes)
        assert indexes
    assert 1 < len(model.replicas) <= 3


def test_the_counts_reconcile_when_a_run_is_left_in_the_middle() -> None:
    cameras = [Camera(f"camera {number}") for number in range(3)]
    pipeline = Pipeline(Shows(cpu_threads=2), cameras)
    for camera in cameras:
        camera.shoot(0)
    for number, _ in enumerate(pipeline):
        for camera in cameras:
            camera.give(*(frame(number, camera.name) for number in range(5)), Failure(camera.name, 5, "dust"))
        if number == 7:
            break
    pipeline.close()
    counts = pipeline.counts
    assert counts.captured == sum(camera.given for camera in cameras)


@pytest.mark.parametrize("death", [None, RuntimeError("the driver is gone"), Failure("b", 1, "b is lost")])
def test_a_camera_that_dies_leaves_the_others_alone(death: Failure | Exception | None) -> None:
    alive, dying = Camera("a"), Camera("b")
    pipeline = Pipeline(Shows(cpu_threads=2), [alive, dying])
    thread, records = in_background(pipeline)
    dying.give(frame(0, "b"), *([] if death is None else [death]), None)
    wait_for(lambda: any(record.frame and record.frame.source == "b" for record in records))
    for number in range(20):
        alive.shoot(number)
        wait_for(lambda: bool(records and records[-1].frame and records[-1].frame.index == number))  # noqa: B023
    wait_for(lambda: pipeline.counts.failed == (death is not None))
    assert thread.is_alive()
    alive.give(None)
    assert done(thread)
    if isinstance(death, RuntimeError):
        assert pipeline.failures[0].error == "b failed: RuntimeError: the driver is gone."


def test_a_camera_that_hangs_delays_neither_the_others_nor_the_stop() -> None:
    alive, hanging, sink = Camera("a"), Camera("b"), Ledger()
    hanging.hangs.set()
    pipeline = Pipeline(Shows(cpu_threads=2), [hanging, alive], [sink])
    thread, records = in_background(pipeline)
    for number in range(10):
        alive.shoot(number)
        wait_for(lambda: len(records) == number + 1)  # noqa: B023
    pipeline.stop()
    assert done(thread)
    assert [record.result for record in sink.records] == list(range(10))
    assert sink.calls[-2:] == ["finish", "close"]
    assert alive.closed
    assert hanging.closed  # in a thread of its own, which still hangs
    assert sink.counts == Counts(10)


def test_a_run_without_any_frame_ends_when_its_time_is_over() -> None:
    sink = Paper()
    assert Pipeline(Shows(), Camera(), [sink], duration=0.02).run() == Counts()
    assert sink.calls == ["finish", "close"]


@pytest.mark.parametrize("wish", ["on_demand", "keeps_all"])
def test_a_source_that_can_wait_is_asked_only_when_a_worker_is_free(wish: str) -> None:
    camera, model = Camera(), Shows()
    setattr(camera, wish, True)
    pipeline = Pipeline(model, camera)
    model.may_run.clear()
    thread, records = in_background(pipeline)
    for number in range(9):
        camera.shoot(number)
    wait_for(lambda: camera.given == 1)
    time.sleep(0.02)
    assert camera.given == 1
    model.may_run.set()
    wait_for(lambda: len(records) == 9)
    camera.give(None)
    assert done(thread)
    assert [record.result for record in records] == list(range(9))
    assert pipeline.counts == Counts(9)


def test_a_rate_asks_such_a_source_no_sooner() -> None:
    cameras = [Camera("a"), Camera("b")]
    for camera in cameras:
        camera.on_demand = True  # type: ignore[attr-defined]
        camera.give(*(frame(number, camera.name) for number in range(5)))
    pipeline = Pipeline(Shows(cpu_threads=2), cameras, rate=0.001)
    thread, records = in_background(pipeline)
    wait_for(lambda: len(records) == 2)
    time.sleep(0.02)
    assert [camera.given for camera in cameras] == [1, 1]
    pipeline.stop()
    assert done(thread)


def test_a_stop_lets_the_verdict_on_its_way_be_written() -> None:
    camera, model, sink = Camera(), Shows(), Ledger()
    pipeline = Pipeline(model, camera, [sink])
    model.may_run.clear()
    thread, _ = in_background(pipeline)
    camera.shoot(0)
    wait_for(lambda: camera.given == 1)
    time.sleep(0.02)
    pipeline.stop()
    time.sleep(0.02)
    model.may_run.set()
    assert done(thread)
    assert sink.results == [0]
    assert pipeline.counts == Counts(1)


def test_the_same_reason_is_logged_once_until_there_is_a_picture_again(caplog: pytest.LogCaptureFixture) -> None:
    camera, sink = Camera(), Ledger()
    lost = [Failure("camera", number, "camera is lost.") for number in range(100)]
    camera.give(frame(0), *lost, None)
    with caplog.at_level(logging.WARNING):
        assert Pipeline(Shows(), camera, [sink]).run() == Counts(1, 100)
    assert [record.message for record in caplog.records] == ["camera is lost."]
    assert len(sink.records) == 101


def test_what_was_logged_of_each_file_of_a_watched_folder_is_not_kept_for_ever() -> None:
    folder = Camera("watch:in")
    folder.give(*(Failure(f"in/{number}.jpg", number, "cut") for number in range(1000)), None)
    pipeline = Pipeline(Shows(), folder)
    assert pipeline.run() == Counts(0, 1000)
    assert len(pipeline._run._last_errors) == MAX_FAILURES


def test_every_so_many_th_frame_of_a_camera() -> None:
    camera = Camera()
    pipeline = Pipeline(Shows(), camera, every=5)
    thread, records = in_background(pipeline)
    for number in range(20):
        camera.shoot(number)
        wait_for(lambda: len(records) == number // 5 + 1 and camera.given == number + 1)  # noqa: B023
    camera.give(None)
    assert done(thread)
    assert [record.result for record in records] == [0, 5, 10, 15]
    assert pipeline.counts == Counts(4, 0, 0, 16)


def test_a_rate_leaves_frames_out() -> None:
    """At one frame in 1000 seconds the second one never comes, and the run can be stopped all the same."""
    cameras = [Camera("a"), Camera("b")]
    pipeline = Pipeline(Shows(), cameras, rate=0.001)
    thread, records = in_background(pipeline)
    for number in range(30):
        for camera in cameras:
            camera.shoot(number)
    wait_for(lambda: len(records) == 2 and pipeline.counts.dropped >= 50)
    pipeline.stop()
    assert done(thread)
    assert sorted(record.frame.source for record in records if record.frame) == ["a", "b"]


def test_a_sink_may_ask_for_the_end_of_a_live_run() -> None:
    camera, asks, other = Camera(), Paper(), Ledger()
    asks.error = StopRun()
    pipeline = Pipeline(Shows(), camera, [asks, other])
    camera.shoot(0)
    pipeline.run()
    assert pipeline.stopped
    assert other.calls == ["write", "finish", "close"]


def test_cameras_and_files_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="together with files"):
        Pipeline(Shows(), [Camera(), Clip([])])
