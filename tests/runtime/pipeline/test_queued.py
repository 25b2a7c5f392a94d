"""Sinks of live runs: one that stalls, fails or dies holds up nobody, and a durable one loses nothing."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla_runtime.errors import SinkError
from orilla_runtime.pipeline import Pipeline, queued
from orilla_runtime.pipeline.queued import QUEUE
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.csv import CsvSink
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sources.base import Image
from orilla_runtime.tasks.raw import RawOutputs
from orilla_runtime.timing import Timing
from tests.runtime.pipeline.stage import Camera, Ledger, Paper, Shows, wait_for
from tests.runtime.sinks.records import RESULT


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(queued, "_LONGEST_PAUSE", 0.01)


class Live:
    """A run over a camera, one frame at a time, in a thread of its own."""

    def __init__(self, *sinks: Paper, model: Shows | None = None) -> None:
        self.camera = Camera()
        self.pipeline = Pipeline(model or Shows(), self.camera, sinks)
        self.records: list[Record] = []
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.records.extend(self.pipeline)
        except Exception as error:
            self.error = error

    def shoot(self, *numbers: int) -> None:
        for number in numbers:
            before = self.pipeline.counts.processed
            self.camera.shoot(number)
            wait_for(lambda: self.pipeline.counts.processed > before)  # noqa: B023

    def end(self) -> SinkError | None:
        self.camera.give(None)
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert self.error is None or isinstance(self.error, SinkError)
        return self.error

    def report(self, place: int = 0) -> queued.SinkReport:
        return self.pipeline.reports[place]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


def test_each_sink_has_a_thread_of_its_own_and_gets_everything_in_order() -> None:
    sinks = [Paper(), Ledger()]
    run = Live(*sinks)
    for number in range(5):
        run.shoot(number)
        wait_for(lambda: all(len(sink.records) == number + 1 for sink in sinks))  # noqa: B023
    assert run.end() is None
    assert [sink.calls for sink in sinks] == [["write"] * 5 + ["finish", "close"]] * 2
    assert sinks[0].counts == Counts(5)
    assert len(sinks[0].threads | sinks[1].threads) == 2


def test_only_a_sink_that_shows_pictures_gets_them() -> None:
    shows, writes = Paper(), Ledger()
    run = Live(shows, writes)
    run.shoot(7)
    assert run.end() is None
    shown, written = shows.records[0].frame, writes.records[0].frame
    assert shown is not None
    assert written is not None
    assert shown.image.shape == (8, 8, 3)
    assert written.image.shape == (0, 0, 3)
    assert (written.source, written.index, written.captured_at) == (shown.source, shown.index, shown.captured_at)


def test_a_sink_that_stalls_stalls_nobody_and_the_newest_wait_for_it() -> None:
    stalled, other = Paper(), Ledger()
    stalled.may_write.clear()
    run = Live(stalled, other)
    run.shoot(0)
    assert stalled.called.acquire(timeout=20)
    run.shoot(*range(1, 40))
    wait_for(lambda: len(other.records) == 40)
    assert run.report() == queued.SinkReport("Paper", 0, 39 - QUEUE)
    stalled.may_write.set()
    assert run.end() is None
    assert stalled.results == [0, *range(40 - QUEUE, 40)]


def test_a_durable_sink_that_stalls_for_long_loses_nothing() -> None:
    stalled = Ledger()
    stalled.may_write.clear()
    run = Live(stalled)
    run.shoot(*range(200))
    stalled.may_write.set()
    assert run.end() is None
    assert stalled.results == list(range(200))


def test_what_does_not_fit_into_the_spool_is_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued, "SPOOL", 10)
    stalled = Ledger()
    stalled.may_write.clear()
    run = Live(stalled)
    run.shoot(0)
    assert stalled.called.acquire(timeout=20)
    run.shoot(*range(1, 31))
    stalled.may_write.set()
    error = run.end()
    assert error is not None
    assert "20 records are not written" in error.message
    assert stalled.results == list(range(11))


def test_large_results_fill_the_spool_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    class Maps(Shows):
        def process(self, image: Image) -> tuple[Any, Timing]:
            return RawOutputs({"map": np.zeros(1000, np.float32)}), super().process(image)[1]

    monkeypatch.setattr(queued, "SPOOL_BYTES", 10 * 4000)
    stalled = Ledger()
    stalled.may_write.clear()
    run = Live(stalled, model=Maps())
    run.shoot(0)
    assert stalled.called.acquire(timeout=20)
    run.shoot(*range(1, 31))
    assert run.report().dropped == 20
    stalled.may_write.set()
    wait_for(lambda: len(stalled.records) == 11)
    run.shoot(31)
    wait_for(lambda: len(stalled.records) == 12)
    assert run.end() is not None


def test_a_durable_sink_that_fails_for_a_while_loses_nothing_and_is_logged_once(log: pytest.LogCaptureFixture) -> None:
    disk, other = Ledger(), Ledger()
    run = Live(disk, other)
    run.shoot(0)
    wait_for(lambda: disk.results == [0])
    disk.error = SinkError("The disk is full.")
    run.shoot(*range(1, 60))
    wait_for(lambda: run.report().error == "The disk is full.")
    disk.error = None
    wait_for(lambda: sorted(disk.results) == list(range(60)))
    assert run.report() == queued.SinkReport("Ledger", 60)
    assert run.end() is None
    assert other.results == list(range(60))
    assert log.messages == ["The disk is full. The run goes on, and it is tried again.", "Ledger is written again."]


def test_a_sink_that_stays_dead_is_reported_at_the_end_and_the_others_are_whole(log: pytest.LogCaptureFixture) -> None:
    dead, shown, other = Ledger(), Paper(), Ledger()
    dead.error = SinkError("The disk is full.", "Free space.")
    shown.error = OSError("no screen")
    run = Live(dead, shown, other)
    run.shoot(*range(30))
    error = run.end()
    assert error is not None
    assert error.message == "The disk is full. (30 records are not written.)"
    assert other.results == list(range(30))
    assert dead.calls == shown.calls == ["finish", "close"]
    told = [message for message in log.messages if "is tried again" in message]
    assert sorted(told) == [
        "Paper failed: OSError: no screen The run goes on, and it is tried again.",
        "The disk is full. The run goes on, and it is tried again.",
    ]


def test_a_record_that_a_durable_sink_never_takes_holds_up_no_other() -> None:
    sink = Ledger()
    sink.refused = 3
    run = Live(sink)
    run.shoot(*range(8))
    wait_for(lambda: len(sink.records) == 7)
    error = run.end()
    assert sink.results == [0, 1, 2, 4, 5, 6, 7]
    assert run.report().lost == 1
    assert error is not None
    assert "1 records are not written" in error.message


def test_a_sink_that_never_returns_is_left_behind_at_the_end() -> None:
    hangs, other = Paper(), Ledger()
    hangs.may_write.clear()
    run = Live(hangs, other)
    run.shoot(0, 1)
    error = run.end()
    assert error is not None
    assert error.message == "Paper does not react: 2 records are not written."
    assert other.calls == ["write", "write", "finish", "close"]
    hangs.may_write.set()


def test_a_sink_of_the_main_thread_is_called_there_and_left_out_once_it_failed(log: pytest.LogCaptureFixture) -> None:
    class Window(Paper):
        main_thread = True

    window, other = Window(), Ledger()
    run = Live(window, other)
    run.shoot(0, 1)
    assert window.results == [0, 1]
    assert window.threads == {run.thread.name}
    window.error = SinkError("The window was lost.")
    run.shoot(2, 3, 4)
    error = run.end()
    assert error is not None
    assert error.message == "The window was lost."
    assert other.results == list(range(5))
    assert window.called._value == 3  # type: ignore[attr-defined]
    assert log.messages == ["The window was lost. The run goes on without it."]


@pytest.mark.parametrize("kind", [JsonlSink, CsvSink])
def test_the_files_of_a_live_run_hold_every_verdict(kind: type[JsonlSink] | type[CsvSink], tmp_path: Path) -> None:
    class Sees(Shows):
        def process(self, image: object) -> tuple[object, object]:  # type: ignore[override]
            _, timing = Shows.process(self, np.zeros((1, 1, 3), np.uint8))
            return RESULT, timing

    path = tmp_path / "verdicts"
    run = Live(kind(path), model=Sees())  # type: ignore[arg-type]
    run.shoot(*range(20))
    assert run.end() is None
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 20 + (kind is CsvSink)
    if kind is JsonlSink:
        rows = [json.loads(line) for line in lines]
        assert [row["index"] for row in rows] == list(range(20))
        assert all(row["timing_ms"]["age"] >= 0 for row in rows)
