"""CSV: one row a frame or failure, with the best class."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.lines import open_lines
from orilla_runtime.tasks.classification import Classification

COLUMNS = (
    "source", "index", "pts_seconds", "captured_at", "label", "class_id", "score", "error",
    "decode_ms", "preprocess_ms", "infer_ms", "postprocess_ms", "bundle", "artifact", "engine",
    "decision", "reason",
)  # fmt: skip


class CsvSink:
    """Writes records as rows under one header to a file or a text stream, each at once; UTF-8, LF.

    `append`: rows are added to a file that is there; else it is replaced when the first one is written. What does not
    apply is empty, as `decision` and `reason` are where the run has no rules. Cells are quoted as RFC 4180 says and not
    changed: a name that begins with `=` is written as it is, so import the file as text where they come from strangers.

    Raises:
        SinkError: the file cannot be opened, or has other columns; in `write`: it cannot be written, and then ends with
            a whole row.
    """

    durable = True

    def __init__(self, target: Path | TextIO, *, append: bool = False) -> None:
        head = _line(COLUMNS)
        if append and isinstance(target, Path):
            _require_head(target, head)
        self._lines = open_lines(target, append=append, head=head)

    def write(self, record: Record) -> None:
        """Write one row."""
        self._lines.write(_line(_row(record)))

    def finish(self, counts: Counts) -> None:  # noqa: ARG002 - every row is already written
        """A run without records leaves a file with its header."""
        self._lines.begin()

    def close(self) -> None:
        """Close the file; a stream stays open."""
        self._lines.close()


def _require_head(path: Path, head: str) -> None:
    """See that rows may follow what is in a file. Raises SinkError."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            found = file.read(len(head))
    except OSError as error:
        raise SinkError(f"{path} cannot be read: {error.strerror}.", "Give the name of a new file.") from error
    if not head.encode().startswith(found):
        raise SinkError(f"{path} has other columns than these rows.", "Give the name of a new file.")


def _line(cells: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _row(record: Record) -> tuple[Any, ...]:
    model = (record.bundle or "", record.artifact, record.engine)
    if record.failure is not None:
        source, index, at = record.failure.source, record.failure.index, _time(record.failure.captured_at)
        return (source, index, "", at, *[""] * 3, record.failure.error, *[""] * 4, *model, "", "")
    frame, timing = record.frame, record.timing
    if frame is None or timing is None:
        raise SinkError("A record holds neither a frame nor a failure.")
    if not isinstance(record.result, Classification):
        raise SinkError("CSV holds the results of a classifier only.", "Write JSONL.")
    best, decision = record.result.top, record.result.decision
    decided = ("", "") if decision is None else (decision.label, decision.reason)
    pts = "" if frame.pts_seconds is None else round(frame.pts_seconds, 6)
    times = (round(ms, 3) for ms in (timing.decode, timing.preprocess, timing.infer, timing.postprocess))
    head = (frame.source, frame.index, pts, _time(frame.captured_at))
    return (*head, best.label, best.class_id, best.score, "", *times, *model, *decided)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
