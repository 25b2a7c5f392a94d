"""JSONL: one object a frame or failure, one line each."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.lines import open_lines
from orilla_runtime.sources.base import Failure
from orilla_runtime.tasks.classification import Classification
from orilla_runtime.tasks.raw import RawOutputs


class JsonlSink:
    """Writes records as JSON lines to a file or a text stream, each at once.

    A frame has `source`, `index`, `pts_seconds`, `captured_at` (ISO 8601, UTC), `predictions` (best first: `label`,
    `class_id`, `score`), `decision` where the run has rules (`label`, `class_id`, `score`, `reason`), `timing_ms`
    (`decode`, `preprocess`, `infer`, `postprocess`; `age` for live sources), `bundle` (its id; null for a bare model),
    `artifact` and `engine`. A failure has `source`, `index`, `captured_at` (when it was noticed), `kind`,
    `error`, `bundle`, `artifact` and `engine`.

    `append`: lines are added to a file that is there; else it is replaced when the first one is written.

    Raises:
        SinkError: the file cannot be opened or, in `write`, cannot be written; it then ends with a whole line.
    """

    durable = True

    def __init__(self, target: Path | TextIO, *, append: bool = False) -> None:
        self._lines = open_lines(target, append=append)

    def write(self, record: Record) -> None:
        """Write one line."""
        try:
            line = json.dumps(as_object(record), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise SinkError(f"A result of {record.artifact} is not JSON: {error}.") from error
        self._lines.write(line + "\n")

    def finish(self, counts: Counts) -> None:  # noqa: ARG002 - every line is already written
        """A run without records leaves an empty file."""
        self._lines.begin()

    def close(self) -> None:
        """Close the file; a stream stays open."""
        self._lines.close()


def as_object(record: Record) -> dict[str, Any]:
    """A record as what `json` takes."""
    model = {"bundle": record.bundle, "artifact": record.artifact, "engine": record.engine}
    if record.failure is not None:
        return {**_failure(record.failure), **model}
    frame, timing = record.frame, record.timing
    if frame is None or timing is None:
        raise SinkError("A record holds neither a frame nor a failure.")
    return {
        "source": frame.source,
        "index": frame.index,
        "pts_seconds": None if frame.pts_seconds is None else round(frame.pts_seconds, 6),
        "captured_at": frame.captured_at.isoformat(timespec="milliseconds"),
        **_result(record.result),
        "timing_ms": {
            "decode": round(timing.decode, 3),
            "preprocess": round(timing.preprocess, 3),
            "infer": round(timing.infer, 3),
            "postprocess": round(timing.postprocess, 3),
            **({} if timing.age is None else {"age": round(timing.age, 3)}),
        },
        **model,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "source": failure.source,
        "index": failure.index,
        "captured_at": failure.captured_at.isoformat(timespec="milliseconds"),
        "kind": failure.kind,
        "error": failure.error,
    }


def _result(result: Any) -> dict[str, Any]:
    if isinstance(result, Classification):
        predictions = [
            {"label": found.label, "class_id": found.class_id, "score": found.score} for found in result.predictions
        ]
        decision = {} if result.decision is None else {"decision": asdict(result.decision)}
        return {"predictions": predictions, **decision}
    if isinstance(result, RawOutputs):
        return {"outputs": {name: _finite(tensor.tolist()) for name, tensor in result.tensors.items()}}
    return {"result": result}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, and they are what a raw output may hold: null."""
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if isinstance(value, float) and not math.isfinite(value) else value
