"""One line at the foot of a terminal that says how a run on cameras does now."""

from __future__ import annotations

import os
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from orilla_runtime.tasks.classification import Classification
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla_runtime.pipeline import Pipeline
    from orilla_runtime.sinks.base import Counts, Record

_PAUSE = 0.5
_WINDOW = 5.0
"""Seconds over which frames are counted."""
_FRAMES = 300
_SILENCE = 2.0
"""Seconds without a frame that are worth saying."""


class StatusLine:
    """Frames a second, age, counts and the newest result, drawn anew twice a second; also while no frame comes.

    What else goes to the terminal is written inside `aside`, and stands above the line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="orilla status line", daemon=True)
        self._pipeline: Pipeline | None = None
        self._newest: Record | None = None
        self._moments: deque[float] = deque(maxlen=_FRAMES)
        self._text = ""
        self._drawn = 0

    def follow(self, pipeline: Pipeline) -> StatusLine:
        """The run whose counts are shown, inside a `with`."""
        self._pipeline = pipeline
        return self

    def see(self, record: Record) -> None:
        """The next record of a frame."""
        self._newest = record
        self._moments.append(time.monotonic())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for lines of others."""
        with self._lock:
            self._clear()
            yield
            self._draw()

    def __enter__(self) -> StatusLine:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(2 * _PAUSE)
        self._pipeline = None
        self._clear()

    def _work(self) -> None:
        while not self._end.wait(_PAUSE):
            self._look()
            with self._lock:
                self._draw()

    def _look(self) -> None:
        """Never with the lock: the counts may need one of the run's, whose holder may want to write a line."""
        if self._pipeline is not None:
            self._text = status(self._pipeline.counts, self._newest, tuple(self._moments), time.monotonic())

    def _draw(self) -> None:
        if self._end.is_set():
            return
        text = fitted(self._text, self._columns() - 1)
        self._clear()
        self._write(text)
        self._drawn = len(text)

    def _clear(self) -> None:
        if self._drawn:
            # Spaces and no escape sequences: every terminal knows them.
            self._write(f"\r{' ' * max(0, self._columns() - 1)}\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # A terminal that is gone
            self._stream.write(text)
            self._stream.flush()

    def _columns(self) -> int:
        with suppress(OSError, ValueError):
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        return 80


def status(counts: Counts, newest: Record | None, moments: tuple[float, ...], now: float) -> str:
    """The line's text; `moments`: of the last frames, `now`: the same clock."""
    others = (("dropped", counts.dropped), ("failed", counts.failed))
    parts = [f"{counts.processed:,} frames", *(f"{number:,} {name}" for name, number in others if number)]
    if not moments or now - moments[-1] > _SILENCE:
        silence = f" for {now - moments[-1]:.0f} s" if moments else " yet"
        return ", ".join([f"no frame{silence}", *parts])
    recent = [moment for moment in moments if now - moment <= _WINDOW]
    rate = (len(recent) - 1) / max(recent[-1] - recent[0], 1e-6) if len(recent) > 1 else 0.0
    parts.insert(0, f"{rate:.1f} a second")
    if newest is not None and newest.timing is not None and newest.timing.age is not None:
        parts.insert(1, f"age {newest.timing.age:.0f} ms")
    return ", ".join(parts) + _said(newest)


def fitted(text: str, columns: int) -> str:
    """As much of it as so many columns hold; letters of East Asia take two."""
    width = 0
    for place, letter in enumerate(text):
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > columns:
            return text[:place]
    return text


def _said(newest: Record | None) -> str:
    if newest is None or newest.frame is None or not isinstance(newest.result, Classification):
        return ""
    best = newest.result.decision or newest.result.top
    return f"  {printable(newest.frame.source)}: {printable(best.label)} {best.score:.2f}"
