"""Faults under the sinks of a live run: a full disk, a broker that goes and comes, a sink that stalls.

Inference goes on through each of them, and the durable sinks end with every verdict.
"""

from __future__ import annotations

import csv
import json
import logging
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orilla_runtime.pipeline import queued
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.sources.base import Image
from orilla_runtime.tasks.classification import Classification, Prediction
from orilla_runtime.timing import Timing
from tests.runtime.pipeline.stage import Ledger, Paper, Shows, wait_for
from tests.runtime.pipeline.test_queued import Live
from tests.runtime.sinks.broker import Broker

FILES = ("jsonl", "csv", "sqlite")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(queued, "_LONGEST_PAUSE", 0.1)


class Says(Shows):
    """A classifier that says which number a picture shows."""

    def process(self, image: Image) -> tuple[Any, Timing]:
        number, timing = super().process(image)
        return Classification((Prediction(f"number {number}", number, 0.75),)), timing


def written(folder: Path, name: str) -> list[int]:
    """The numbers of the frames in a sink's file, in its order."""
    path = folder / f"out.{name}"
    if name == "jsonl":
        return [json.loads(line)["index"] for line in path.read_text(encoding="utf-8").splitlines()]
    if name == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [int(row["index"]) for row in csv.DictReader(file)]
    database = sqlite3.connect(path)
    try:
        return [number for (number,) in database.execute("SELECT frame FROM verdicts ORDER BY id")]
    finally:
        database.close()


def file_sinks(folder: Path) -> list[Any]:
    return [open_sink(name, folder / f"out.{name}") for name in FILES]


def arrived(broker: Broker) -> list[int]:
    return [json.loads(payload)["index"] for payload in broker.payloads("line")]


def once(numbers: list[int]) -> list[int]:
    """Without repetitions, in the order of their first arrival."""
    return list(dict.fromkeys(numbers))


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can grow any more, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_loses_no_verdict_and_is_told_once_a_sink(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    run = Live(*file_sinks(tmp_path), model=Says())
    run.shoot(*range(10))
    wait_for(lambda: all(report.written == 10 for report in run.pipeline.reports))
    with no_room():
        run.shoot(*range(10, 60))
        assert run.pipeline.counts.processed == 60
        wait_for(lambda: all(report.error for report in run.pipeline.reports))
        assert [report.written for report in run.pipeline.reports] == [10, 10, 10]
    wait_for(lambda: all(report.written == 60 for report in run.pipeline.reports))
    run.shoot(60)
    assert run.end() is None
    assert [written(tmp_path, name) for name in FILES] == [list(range(61))] * 3
    assert len([one for one in caplog.records if "tried again" in one.getMessage()]) == 3


def test_a_disk_that_stays_full_ends_the_run_with_the_number_that_is_missing(tmp_path: Path) -> None:
    run = Live(*file_sinks(tmp_path), model=Says())
    run.shoot(*range(5))
    wait_for(lambda: all(report.written == 5 for report in run.pipeline.reports))
    with no_room():
        run.shoot(*range(5, 25))
        error = run.end()
    assert error is not None
    assert "(20 records are not written.)" in error.message
    assert [written(tmp_path, name) for name in FILES] == [list(range(5))] * 3


def test_a_broker_that_goes_and_comes_costs_no_verdict(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    broker = Broker(password="s3cret").start()
    mqtt = open_sink("mqtt", f"mqtt://anna:s3cret@127.0.0.1:{broker.port}/line")
    run = Live(open_sink("jsonl", tmp_path / "out.jsonl"), mqtt, model=Says())  # type: ignore[arg-type]
    run.shoot(*range(10))
    for first in (10, 40):
        broker.kill()
        run.shoot(*range(first, first + 30))
        assert run.pipeline.counts.processed == first + 30
        broker.start()
        wait_for(lambda: once(arrived(broker)) == list(range(first + 30)))  # noqa: B023
    assert run.end() is None
    assert once(arrived(broker)) == written(tmp_path, "jsonl") == list(range(70))
    assert broker.retained == {"line/status": b"offline"}
    assert "s3cret" not in caplog.text
    assert len([one for one in caplog.records if "tried again" in one.getMessage()]) <= 2
    broker.kill()


def test_a_broker_that_does_not_come_back_is_told_with_the_number_that_is_missing() -> None:
    broker = Broker().start()
    run = Live(open_sink("mqtt", f"mqtt://127.0.0.1:{broker.port}/line"), model=Says())  # type: ignore[arg-type]
    run.shoot(*range(5))
    wait_for(lambda: arrived(broker) == list(range(5)))
    broker.kill()
    wait_for(lambda: not run.pipeline._run.delivery._all[0]._sink._is_connected)  # type: ignore[attr-defined]
    run.shoot(*range(5, 25))
    error = run.end()
    assert error is not None
    assert "(20 records are not written.)" in error.message
    assert f"mqtt://127.0.0.1:{broker.port}/line" in error.message


def test_a_sink_that_stalls_leaves_the_others_whole(tmp_path: Path) -> None:
    broker = Broker().start()
    mqtt = open_sink("mqtt", f"mqtt://127.0.0.1:{broker.port}/line")
    stalled, slow = Paper(), Ledger()
    for sink in (stalled, slow):
        sink.may_write.clear()
    run = Live(stalled, slow, *file_sinks(tmp_path), mqtt, model=Says())  # type: ignore[arg-type]
    run.shoot(*range(50))
    wait_for(lambda: all(report.written == 50 for report in run.pipeline.reports[2:]))
    slow.may_write.set()
    wait_for(lambda: len(slow.records) == 50)
    error = run.end()
    assert error is not None
    assert "does not react" in error.message
    assert [written(tmp_path, name) for name in FILES] == [list(range(50))] * 3
    assert arrived(broker) == list(range(50))
    stalled.may_write.set()
    broker.kill()


@contextmanager
def mosquitto(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
        f"persistence true\npersistence_location {folder}/\n"
    )
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert program is not None, "needs the broker mosquitto"
    process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_mosquitto_down_and_back(tmp_path: Path) -> None:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    got: list[int] = []
    status: list[bytes] = []

    def take(_client: Client, _userdata: object, message: Any) -> None:
        if message.topic == "line/status":
            status.append(message.payload)
        else:
            got.append(json.loads(message.payload)["index"])

    # It is subscribed for good: what comes while it is away is kept for it.
    listener = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    listener.on_connect = lambda client, *_: client.subscribe("line/#", qos=1)
    listener.on_message = take
    listener.reconnect_delay_set(1, 1)
    with mosquitto(tmp_path, port):
        listener.connect("127.0.0.1", port)
        listener.loop_start()
        sink = open_sink("mqtt", f"mqtt://127.0.0.1:{port}/line")
        run = Live(sink, model=Says())  # type: ignore[arg-type]
        run.shoot(*range(30))
        wait_for(lambda: once(got) == list(range(30)))
    for first in (30, 180):
        for number in range(first, first + 150):
            run.shoot(number)
            time.sleep(1 / 100)
        assert run.pipeline.counts.processed == first + 150
        with mosquitto(tmp_path, port):
            wait_for(lambda: once(got) == list(range(first + 150)))  # noqa: B023
            if first == 180:
                assert run.end() is None
                wait_for(lambda: status[-1] == b"offline")
    listener.disconnect()
    listener.loop_stop()
    assert run.pipeline.counts.processed == len(set(got)) == 330
    assert run.pipeline.counts.dropped == 0
