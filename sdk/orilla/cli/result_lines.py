"""Results for people and for grep: one line a picture, or one at each change of the best class."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.lines import LineStream
from orilla_runtime.sources.base import Frame
from orilla_runtime.tasks.classification import Classification
from orilla_runtime.tasks.raw import RawOutputs
from orilla_runtime.tensors import TensorSpec
from orilla_runtime.text import printable


class ResultLines:
    """Writes `name`, `label` and `score` with tabs between; implements `Sink`. Raw outputs: what each one is.

    A picture gets a line each. Frames of one video or camera get a line when the best class is another than before;
    the name then ends in the time in the video (`clip.mp4@1.250s`), or of the day in UTC for a camera. `around` each
    line: what must make room for it on a terminal.
    """

    durable = True

    def __init__(
        self, stream: TextIO, *, live: bool, around: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self._live = live
        self._around = around
        self._lines = LineStream(stream)
        self._last: tuple[str, Hashable] = ("", -1)

    def write(self, record: Record) -> None:
        """Write a line where there is something new. Failures are shown elsewhere."""
        frame = record.frame
        said = None if frame is None else _said(record.result)
        if frame is None or said is None:
            return
        identity, text = said
        if (frame.source, identity) != self._last or _is_picture(frame):
            self._last = (frame.source, identity)
            with self._around():
                self._lines.write(f"{self._name(frame)}\t{text}\n")

    def finish(self, counts: Counts) -> None:
        """Every line is already written."""

    def close(self) -> None:
        """The stream belongs to the caller."""

    def _name(self, frame: Frame) -> str:
        name = printable(frame.source)
        if self._live:
            return f"{name}@{frame.captured_at:%Y-%m-%dT%H:%M:%S}.{frame.captured_at.microsecond // 1000:03d}Z"
        return name if frame.pts_seconds is None else f"{name}@{frame.pts_seconds:.3f}s"


def _said(result: Any) -> tuple[Hashable, str] | None:
    """What tells a result from the one before, and the line's text."""
    if isinstance(result, Classification):
        if result.decision is not None:
            return result.decision.label, f"{printable(result.decision.label)}\t{result.decision.score:.4f}"
        return result.top.class_id, f"{printable(result.top.label)}\t{result.top.score:.4f}"
    if isinstance(result, RawOutputs):
        specs = [TensorSpec(name, array.shape, array.dtype.name) for name, array in result.tensors.items()]
        text = "\t".join(printable(str(spec)) for spec in specs)
        return text, text
    return None


def _is_picture(frame: Frame) -> bool:
    return frame.pts_seconds is None and frame.index == 0
