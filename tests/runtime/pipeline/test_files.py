"""Runs over files: several at once, every frame, in order, and an end in good order whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline import Pipeline, run
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sources.base import Failure, Frame, Image, Pending, Shrink
from orilla_runtime.sources.images import ImagesSource
from tests.runtime.pipeline.stage import PATIENCE, Clip, Paper, Shows, frame, wait_for


def threads_of_a_run() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("orilla")}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    # Tests of cameras that hang for ever leave theirs behind.
    others = threads_of_a_run()
    yield
    wait_for(lambda: threads_of_a_run() <= others)


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Iterator[Model]:
    with load(shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite", threads=3) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def photos(unzipped: Callable[[str], Path]) -> list[Path]:
    return sorted((unzipped("imagenet_samples_256.zip") / "images").iterdir())[:30]


def test_a_folder_gives_what_one_picture_after_the_other_gives(model: Model, photos: list[Path]) -> None:
    records = list(Pipeline(model, ImagesSource(photos, name="photos")))
    assert [record.frame.source for record in records if record.frame] == [str(path) for path in photos]
    for record, path in zip(records, photos, strict=True):
        image = cv2.imread(str(path))
        assert image is not None
        assert record.frame is not None
        assert np.array_equal(record.frame.image, image)
        assert record.result == model(image)


def test_every_frame_of_every_video_is_there_and_can_be_kept(model: Model, unzipped: Callable[[str], Path]) -> None:
    folder = unzipped("video.zip")
    names = ["photos_mjpeg.avi", "photos_mpeg4.avi", "counter_30fps.mp4"]
    records = list(run(model, [folder / name for name in names]))
    kept = iter(records)
    for name in names:
        capture = cv2.VideoCapture(str(folder / name))
        index = 0
        while (read := capture.read())[0]:
            record = next(kept)
            assert record.frame is not None
            assert (record.frame.source, record.frame.index) == (str(folder / name), index)
            assert np.array_equal(record.frame.image, read[1])
            index += 1
    assert next(kept, None) is None


def test_workers_that_finish_out_of_order_are_delivered_in_order() -> None:
    last_is_done = threading.Event()

    class Uneven(Shows):
        """The first frame of the parallel part waits for a later one."""

        def process(self, image: Image) -> tuple[object, object]:  # type: ignore[override]
            number = int(image[0, 0, 0])
            if number == 4:
                assert last_is_done.wait(PATIENCE)
            if number == 6:
                last_is_done.set()
            return Shows.process(self, image)

        def replica(self, threads: int = 1) -> Shows:
            return Uneven()

    results = [result for _, result in Pipeline(Uneven(cpu_threads=3), Clip(map(frame, range(40))))]
    assert results == list(range(40))


def test_a_short_run_makes_no_replica_and_a_long_one_closes_those_it_made() -> None:
    short, long = Shows(cpu_threads=3), Shows(cpu_threads=3)
    Pipeline(short, Clip(map(frame, range(4)))).run()
    Pipeline(long, Clip(map(frame, range(60)))).run()
    assert short.replicas == []
    assert len(long.replicas) == 3
    assert [replica.closed for replica in long.replicas] == [1, 1, 1]
    assert long.closed == 0


def test_a_model_on_another_device_is_shared_and_never_called_twice_at_once() -> None:
    class Device(Shows):
        busy = threading.Lock()

        def process(self, image: Image) -> tuple[object, object]:  # type: ignore[override]
            assert self.busy.acquire(blocking=False)
            try:
                return Shows.process(self, image)
            finally:
                self.busy.release()

    model = Device(cpu_threads=None)
    assert Pipeline(model, Clip(map(frame, range(100))), workers=4).run().processed == 100
    assert model.replicas == []


def test_failures_stand_where_they_happened() -> None:
    items = [frame(0), Failure("clip", 1, "torn"), frame(2), Failure("clip", 3, "torn, too"), frame(4)]
    sink = Paper()
    pipeline = Pipeline(Shows(cpu_threads=2), Clip(items), [sink])
    assert [result for _, result in pipeline] == [0, 2, 4]
    assert [record.failure.index if record.failure else record.result for record in sink.records] == [0, 1, 2, 3, 4]
    assert pipeline.counts == Counts(3, 2)


def test_a_picture_that_no_model_takes_is_a_failure(model: Model) -> None:
    odd = Frame(np.zeros((4, 4), np.float32), 1, "clip", None, 0, frame(0).captured_at)  # type: ignore[arg-type]
    pipeline = Pipeline(model, Clip([frame(0), odd, frame(2)]))
    assert pipeline.run() == Counts(2, 1)
    assert "uint8" in pipeline.failures[0].error


def test_what_a_worker_raises_is_raised_in_its_turn_and_ends_the_run() -> None:
    source, sink = Clip(map(frame, range(200))), Paper()
    model = Shows(cpu_threads=3, fail_at=20)
    pipeline = Pipeline(model, source, [sink])
    with pytest.raises(ArithmeticError, match="20 is too much"):
        pipeline.run()
    assert sink.results == list(range(20))
    assert sink.calls[-2:] == ["finish", "close"]
    assert source.closed
    assert all(replica.closed for replica in model.replicas)


def test_what_a_source_raises_is_raised_in_its_turn() -> None:
    sink = Paper()
    with pytest.raises(ZeroDivisionError):
        Pipeline(Shows(), Clip([frame(0), frame(1), ZeroDivisionError()]), [sink]).run()
    assert sink.results == [0, 1]
    last = Clip([frame(0), SourceError("gone")])
    assert Pipeline(Shows(), [last, Clip([frame(5)])]).run() == Counts(2, 1)


def test_no_more_is_read_ahead_than_a_few_frames_a_worker() -> None:
    source = Clip(map(frame, range(1000)))
    pipeline = Pipeline(Shows(cpu_threads=2), source)
    for _ in range(20):
        next(pipeline)
    assert source.read <= 20 + 2 * 2 + 2 + 1
    pipeline.close()


def test_large_pictures_wait_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orilla_runtime.pipeline.files._BYTES_AHEAD", 3 * 8 * 8 * 3)
    source = Clip(map(frame, range(60)))
    pipeline = Pipeline(Shows(cpu_threads=4), source)
    first = next(pipeline)
    assert source.read <= 1 + 3 + 1
    assert [first.result, *(result for _, result in pipeline)] == list(range(60))


def test_pictures_are_decoded_side_by_side() -> None:
    """Each of three pictures waits in its decoder until all three are there."""
    together = threading.Barrier(3, timeout=PATIENCE)

    class Slow:
        def __init__(self, number: int) -> None:
            self.number = number

        def decode(self, shrink: Shrink | None = None) -> Frame | Failure:
            if self.number >= 4:
                together.wait()
            return frame(self.number)

    class Folder(Clip):
        def pending(self) -> Iterator[Pending]:
            return iter([Slow(number) for number in range(4 + 9)])

    results = [result for _, result in Pipeline(Shows(cpu_threads=3), Folder([]))]
    assert results == list(range(13))


@pytest.mark.parametrize("end", ["break", "close", "stop"])
def test_a_run_that_is_left_delivers_nothing_more_and_lets_go_of_everything(end: str) -> None:
    source, sink = Clip(map(frame, range(100_000))), Paper()
    model = Shows(cpu_threads=2)
    pipeline = Pipeline(model, source, [sink])
    for number, _ in enumerate(pipeline):
        if number == 9:
            if end != "stop":
                break
            pipeline.stop()
    if end == "close":
        pipeline.close()
    del pipeline
    assert sink.results == list(range(10))
    assert sink.calls[-2:] == ["finish", "close"]
    assert source.closed
    wait_for(lambda: all(replica.closed for replica in model.replicas))


def test_a_stop_from_another_thread_ends_a_run_that_waits_for_its_source() -> None:
    hangs = threading.Event()

    def endless() -> Iterator[Frame]:
        yield frame(0)
        hangs.wait()

    sink = Paper()
    pipeline = Pipeline(Shows(), Clip(endless()), [sink])
    next(pipeline)
    threading.Timer(0.02, pipeline.stop).start()
    assert next(pipeline, None) is None
    assert sink.calls == ["write", "finish", "close"]
    hangs.set()


def test_every_so_many_th_frame() -> None:
    sources = [Clip(map(frame, range(10))), Clip([*map(frame, range(4)), Failure("x", 4, "torn")])]
    pipeline = Pipeline(Shows(), sources, every=3)
    assert [result for _, result in pipeline] == [0, 3, 6, 9, 0, 3]
    assert pipeline.counts == Counts(6, 1, 0, 8)
    assert pipeline.counts.captured == 15


def test_transforms_see_every_record_in_order_before_the_sinks() -> None:
    seen: list[int] = []

    def remember(record: Record) -> Record:
        seen.append(record.result)
        return record

    def doubled(record: Record) -> Record:
        return Record(record.frame, record.result * 2, record.timing, None, None, record.artifact, record.engine)

    sink = Paper()
    pipeline = Pipeline(Shows(cpu_threads=3), Clip(map(frame, range(30))), [sink], transforms=[remember, doubled])
    assert [result for _, result in pipeline] == [2 * number for number in range(30)] == sink.results
    assert seen == list(range(30))


def test_a_worker_without_memory_for_a_replica_shares_the_model(caplog: pytest.LogCaptureFixture) -> None:
    class Large(Shows):
        def replica(self, threads: int = 1) -> Shows:
            raise MemoryError("too large")

    assert Pipeline(Large(cpu_threads=2), Clip(map(frame, range(50)))).run() == Counts(50)
    assert "shares the model: too large" in caplog.text


def test_what_is_not_possible_is_refused() -> None:
    clip, model = Clip([]), Shows()
    for options, name in (
        ({"every": 0}, "every=0"),
        ({"workers": 0}, "workers=0"),
        ({"workers": True}, "workers=True"),
        ({"rate": 5.0}, "rate is for cameras"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"decode": "half"}, "decode='half'"),
    ):
        with pytest.raises(UsageError, match=name):
            Pipeline(model, clip, **options)  # type: ignore[arg-type]
