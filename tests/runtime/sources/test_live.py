"""What all live sources share, on connections that do what a test says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla_runtime.errors import SourceError
from orilla_runtime.sources import live
from orilla_runtime.sources.base import Failure, Frame, Image
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import draw_pattern
from orilla_runtime.sources.picture_watch import PictureWatch
from orilla_runtime.sources.reports import Reports, more

OPTIONS = SourceOptions(retry_seconds=0.001, retries=3, frozen_seconds=None)


class Scripted:
    """Connections that follow a script: an int is a picture, None one that is damaged, a text the reason of a loss."""

    def __init__(self, script: list[int | str | None]) -> None:
        self.script = script
        self.closed = 0

    def open(self) -> None:
        if self.script and self.script[0] == "refused":
            raise Lost(str(self.script.pop(0)))

    def read(self) -> Arrival | None:
        if not self.script:
            return None
        step = self.script.pop(0)
        if isinstance(step, str):
            raise Lost(step)
        return arrival(lambda: _picture(step))

    def abort(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def _picture(level: int | None) -> Image:
    if level is None:
        raise SourceError("a picture is damaged")
    return np.full((4, 4, 3), level % 256, np.uint8)


def _items(script: list[int | str | None], *, every: bool = True) -> tuple[LiveSource, list[Frame | Failure]]:
    connection = Scripted(script)
    source = LiveSource("cam", lambda: connection, OPTIONS, every=every)
    return source, list(source)


def test_a_script_is_given_in_order_with_every_loss_once() -> None:
    source, items = _items([1, 2, "broke", "refused", "refused", 3, None, None, 4])
    shown = [int(item.image[0, 0, 0]) if isinstance(item, Frame) else item.error for item in items]
    assert shown == [1, 2, "cam broke; connecting again.", 3, "cam: a picture is damaged.", 4]
    assert [item.index for item in items] == [0, 1, 2, 3, 4, 6]
    assert (source.captured, source.dropped) == (7, 1)


steps = st.lists(
    st.one_of(st.integers(0, 255), st.none(), st.sampled_from(["broke", "refused", "hung up"])), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(script=steps, every=st.booleans())
def test_the_counts_add_up_whatever_happens(script: list[int | str | None], every: bool) -> None:
    source, items = _items(script, every=every)
    assert source.captured == len(items) + source.dropped
    indices = [item.index for item in items]
    assert indices == sorted(set(indices))
    assert all(index < source.captured for index in indices)


def test_whatever_a_connection_raises_is_a_loss() -> None:
    class Broken(Scripted):
        def open(self) -> None:
            raise ZeroDivisionError("a\nmaker's fault")

        def close(self) -> None:
            raise OSError("and another")

    items = list(LiveSource("cam", lambda: Broken([]), OPTIONS, remedy="Ask the maker."))
    assert [item.error for item in items if isinstance(item, Failure)] == [
        "cam failed: a maker's fault; connecting again.",
        "cam failed: a maker's fault; given up after 4 attempts. Ask the maker.",
    ]


def test_secrets_in_what_a_connection_raises_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    class Chatty(Scripted):
        def open(self) -> None:
            raise OSError("rtsp://me:hunter2@cam/x")

        def close(self) -> None:
            raise OSError("rtsp://me:hunter2@cam/x")

    with caplog.at_level(logging.DEBUG):
        items = list(LiveSource("cam", lambda: Chatty([]), OPTIONS))
    assert len(items) == 2
    assert "hunter2" not in repr(items) + caplog.text
    assert "closing failed" in caplog.text


def test_pauses_double_up_to_half_a_minute_and_vary() -> None:
    for attempts, longest in ((1, 0.5), (2, 1.0), (4, 4.0), (7, 30.0), (10_000, 30.0)):
        pauses = [live._pause(0.5, attempts) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1


def test_a_read_that_hangs_is_aborted_and_the_run_goes_on() -> None:
    hung, attempts = threading.Event(), iter(range(100))

    class Hangs(Scripted):
        def __init__(self) -> None:
            super().__init__([1] if next(attempts) else [])
            self.aborted = threading.Event()

        def read(self) -> Arrival | None:
            if self.script:
                return super().read()
            hung.set()
            assert self.aborted.wait(20)
            raise Lost("was closed")

        def abort(self) -> None:
            self.aborted.set()

    options = SourceOptions(timeout_seconds=0.05, retry_seconds=0.001, frozen_seconds=None)
    items = iter(LiveSource("cam", Hangs, options))
    first, second = next(items), next(items)
    assert isinstance(first, Failure)
    assert first.error == "cam gave no picture for 0.05 seconds; connecting again."
    assert isinstance(second, Frame)
    items.close()  # type: ignore[attr-defined]


def test_the_same_trouble_is_let_through_once_a_minute() -> None:
    now = [1000.0]
    reports = Reports(lambda: now[0])
    assert [reports.due(f"error {number}") for number in range(5)] == [0, None, None, None, None]
    assert reports.due("another") == 0
    now[0] += 61
    assert reports.due("error 9") == 4
    flood = [reports.due("x" * length) for length in range(1000)]
    assert sum(told is not None for told in flood) <= 32
    now[0] += 61
    assert reports.due("something new") == 0
    assert more(0) == ""
    assert more(2) == " (and 2 times before, since it was last told)"


def _noise(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (90, 160, 3), np.uint8)


@pytest.mark.parametrize(
    ("picture", "kinds"),
    [
        (lambda turn: _noise(0), ["frozen"]),
        (lambda turn: _noise(turn), []),
        (lambda turn: draw_pattern(160, 90, turn) // 8, []),  # Dark, but something is to be seen.
        (lambda turn: np.full((90, 160, 3), 12, np.uint8), ["covered"]),
        (lambda turn: np.full((90, 160, 3), 12, np.uint8) + _noise(turn) // 100, ["covered"]),
        (lambda turn: _noise(0) if turn < 30 or turn > 34 else _noise(turn), ["frozen", "frozen"]),
        (lambda turn: _noise(0) if turn % 8 else _noise(turn), []),
    ],
)
def test_what_counts_as_frozen_or_covered(picture: Callable[[int], Image], kinds: list[str]) -> None:
    watch = PictureWatch(5.0)
    told = [kind for turn in range(80) for kind, _ in watch.look(picture(turn), 100 + turn / 2)]
    assert told == kinds
    never = PictureWatch(None)
    assert not [told for turn in range(80) for told in never.look(picture(turn), 100 + turn / 2)]


def test_a_source_that_nobody_iterates_connects_to_nothing() -> None:
    made: list[Any] = []

    def make() -> Scripted:
        made.append(1)
        return Scripted([])

    source = LiveSource("cam", make, OPTIONS)
    source.close()
    source.close()
    empty: Iterator[Frame | Failure] = iter(source)
    assert list(empty) == []
    assert made == []


BGR = _noise(3)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (BGR[..., 0].copy(), np.repeat(BGR[..., :1], 3, axis=2)),
        (BGR[..., :1], np.repeat(BGR[..., :1], 3, axis=2)),
        (np.dstack([BGR, BGR[..., 0]]), BGR),
        (BGR[..., ::-1], BGR[..., ::-1]),
    ],
)
def test_whatever_channels_a_library_gives_a_frame_is_bgr(given: Image, shown: Image) -> None:
    class Gives(Scripted):
        def read(self) -> Arrival | None:
            return arrival(lambda: given) if self.script and self.script.pop() else None

    (item,) = LiveSource("cam", lambda: Gives([1]), SourceOptions(frozen_seconds=0.001), every=False)
    assert isinstance(item, Frame)
    assert np.array_equal(item.image, shown)
    assert item.image.flags.c_contiguous


@pytest.mark.parametrize("fault", [np.zeros((4, 4), np.uint16), "no picture", KeyError("the maker's")])
def test_a_picture_that_is_none_is_damaged_and_the_next_is_given(fault: Any) -> None:
    pictures = [fault, _picture(7)]

    def decode() -> Image:
        found = pictures.pop(0)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    class Gives(Scripted):
        def read(self) -> Arrival | None:
            return arrival(decode) if self.script and self.script.pop() else None

    first, second = LiveSource("cam", lambda: Gives([1, 1]), OPTIONS, every=True)
    assert isinstance(first, Failure)
    assert first.kind == "damaged"
    assert isinstance(second, Frame)
