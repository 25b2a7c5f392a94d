"""Faults below OpenCV: real servers on loopback that hang, cut, damage, refuse and come back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import read_pattern
from orilla_runtime.sources.stream import stream_source
from tests.runtime.sources.servers.credentials import PASSWORD, USER
from tests.runtime.sources.servers.process import Camera, running

OPTIONS: dict[str, Any] = {"timeout_seconds": 1.0, "retry_seconds": 0.05, "retries": 1000, "frozen_seconds": None}


@pytest.fixture(scope="module", params=["http", "rtsp"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Camera]]:
    with running("mjpeg_server" if request.param == "http" else "rtsp_server") as camera:
        yield request.param, camera


class Watcher:
    """Takes from a source and checks, on the way, what holds for every item."""

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self.items = iter(source)
        self.failures: list[Failure] = []
        self.taken = 0
        self.index = -1

    def until(self, wanted: Callable[[Frame | Failure], bool]) -> Frame | Failure:
        limit = time.monotonic() + 30
        for item in self.items:
            self.taken += 1
            assert item.index > self.index
            self.index = item.index
            if isinstance(item, Failure):
                self.failures.append(item)
            if wanted(item):
                return item
            assert time.monotonic() < limit, [failure.error for failure in self.failures]
        raise AssertionError("it ended")

    def frame(self) -> Frame:
        item = self.until(lambda item: isinstance(item, Frame))
        assert isinstance(item, Frame)
        return item

    def failure(self) -> Failure:
        item = self.until(lambda item: isinstance(item, Failure))
        assert isinstance(item, Failure)
        return item


@contextmanager
def watching(server: tuple[str, Camera], **options: Any) -> Iterator[Watcher]:
    """A watcher of a camera that is well; at the end, everything that was captured must be accounted for."""
    kind, camera = server
    camera.tell(mode="good", fps=50, size=[128, 96])
    address = f"{kind}://{USER}:{PASSWORD}@127.0.0.1:{camera.port}/digest"
    watcher = Watcher(stream_source(address, SourceOptions(**{**OPTIONS, **options})))
    try:
        watcher.frame()
        yield watcher
    finally:
        watcher.source.close()
        camera.tell(mode="good")
    assert list(watcher.items) == []
    assert watcher.taken + watcher.source.dropped == watcher.source.captured
    for failure in watcher.failures:
        assert failure.source == f"{kind}://***@127.0.0.1:{camera.port}/digest"
        assert failure.error.startswith(failure.source)
        assert PASSWORD not in repr(failure)


def test_a_camera_that_is_cut_off_and_comes_back(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        server[1].tell(do="drop")
        assert "connecting again." in watcher.failure().error
        watcher.frame()
    assert [failure.kind for failure in watcher.failures] == ["lost"]


def test_a_server_that_is_away_for_a_while(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        server[1].tell(do="stop")
        watcher.failure()
        time.sleep(0.5)
        server[1].tell(do="start")
        watcher.frame()
    assert len(watcher.failures) == 1  # However many attempts were refused meanwhile.


def test_a_camera_that_hangs(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        server[1].tell(mode="stall")
        watcher.failure()
        connections = server[1].tell()["connections"]
        while server[1].tell()["connections"] < connections + 1:
            time.sleep(0.02)
        server[1].tell(mode="good")
        watcher.frame()
    assert [failure.kind for failure in watcher.failures] == ["lost"]


def test_damaged_pictures_are_told_once_and_never_given(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        server[1].tell(mode="damaged")
        dropped = watcher.source.dropped
        assert watcher.failure().kind == "damaged"
        while watcher.source.dropped < dropped + 10:
            time.sleep(0.02)
        server[1].tell(mode="good")
        frame = watcher.frame()
        read_pattern(frame.image)
    assert [failure.kind for failure in watcher.failures] == ["damaged"]


def test_a_size_that_changes_in_the_middle(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        for height, width in ((480, 640), (48, 64), (720, 1280)):
            server[1].tell(size=[width, height])
            watcher.until(lambda item, shape=(height, width, 3): isinstance(item, Frame) and item.image.shape == shape)
    assert watcher.failures == []


def test_240_frames_a_second_and_a_consumer_that_is_slow(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        server[1].tell(fps=240)
        numbers = []
        for _ in range(12):
            time.sleep(0.1)
            numbers.append(read_pattern(watcher.frame().image))
    assert watcher.source.dropped > 50
    assert numbers == sorted(set(numbers))
    assert watcher.failures == []


def test_one_frame_a_second_is_no_silence(server: tuple[str, Camera]) -> None:
    with watching(server, timeout_seconds=5.0) as watcher:
        server[1].tell(fps=1)
        numbers = [read_pattern(watcher.frame().image) for _ in range(2)]
    assert numbers == sorted(set(numbers))
    assert watcher.failures == []


def test_a_picture_every_twenty_seconds_is_no_silence_where_it_was_asked_for() -> None:
    source = stream_source("http://camera/x", SourceOptions(fps=0.05, timeout_seconds=10.0))
    assert source._options.timeout_seconds == 30.0


def test_a_crash_of_the_reading_process_is_a_lost_connection(server: tuple[str, Camera]) -> None:
    with watching(server) as watcher:
        child = watcher.source._connection._child  # type: ignore[union-attr]
        os.kill(child.pid, signal.SIGSEGV)
        assert "crashed (signal 11)" in watcher.failure().error
        watcher.frame()


def test_close_ends_an_iteration_that_waits(server: tuple[str, Camera]) -> None:
    with watching(server, timeout_seconds=300) as watcher:
        server[1].tell(mode="stall")
        closer = threading.Timer(0.3, watcher.source.close)
        closer.start()
        assert [item for item in watcher.items if isinstance(item, Failure)] == []
        closer.join()
        watcher.taken = watcher.source.captured - watcher.source.dropped


def test_an_address_where_nobody_is(server: tuple[str, Camera]) -> None:
    retries = None if server[0] == "http" else 0
    options = SourceOptions(**{**OPTIONS, "retries": retries})
    items = list(stream_source(f"{server[0]}://{USER}:{PASSWORD}@no-such-camera.invalid/x", options))
    assert len(items) == (2 if retries is None else 1)
    last = items[-1]
    assert isinstance(last, Failure)
    assert "is not known by that name" in last.error
    assert "Check the address" in last.error
    assert ("given up after 3 attempts" in last.error) == (retries is None)


def test_a_wrong_password(server: tuple[str, Camera]) -> None:
    options = SourceOptions(**{**OPTIONS, "retries": 0})
    address = f"{server[0]}://{USER}:wrong-{PASSWORD}@127.0.0.1:{server[1].port}/digest"
    (item,) = stream_source(address, options)
    assert isinstance(item, Failure)
    assert "refuses the user or the password (401)" in item.error
    assert PASSWORD not in item.error


def test_a_camera_that_shows_nothing(server: tuple[str, Camera]) -> None:
    with watching(server, frozen_seconds=0.4) as watcher:
        for mode, kind in (("frozen", "frozen"), ("black", "covered")):
            server[1].tell(mode=mode)
            assert watcher.failure().kind == kind
            for _ in range(30):
                watcher.frame()
    assert len(watcher.failures) == 2
