"""What the page shows: the newest record of each source, and figures of the last seconds."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sources.base import Image
from orilla_runtime.tasks.classification import Classification
from orilla_runtime.tasks.raw import RawOutputs
from orilla_runtime.text import printable

_LANES = 16
_FRAMES = 300
_WINDOW = 5.0
"""Seconds over which frames are counted."""
_CLASSES = 5
_LONGEST = 300
"""Characters of a text; a label of a whole page would push everything else out of sight."""


class Lane:
    """One source. Guarded by the board's lock."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.record: Record | None = None
        self.error = ""
        self.version = 0
        self.processed = self.failed = 0
        self._moments: deque[float] = deque(maxlen=_FRAMES)
        self._spent: deque[float] = deque(maxlen=_FRAMES)
        self._ages: deque[float] = deque(maxlen=_FRAMES)

    def put(self, record: Record) -> None:
        """The next record."""
        if record.failure is not None:
            self.failed += 1
            self.error = record.failure.error
            return
        assert record.timing is not None
        timing = record.timing
        self.record, self.error = record, ""
        self.version += 1
        self.processed += 1
        self._moments.append(time.monotonic())
        self._spent.append(timing.decode + timing.preprocess + timing.infer + timing.postprocess)
        if timing.age is not None:
            self._ages.append(timing.age)

    def seen(self, now: float) -> float | None:
        """Seconds since its last frame."""
        return now - self._moments[-1] if self._moments else None

    def as_object(self, now: float) -> dict[str, Any]:
        """What the page gets."""
        frame = self.record.frame if self.record else None
        return {
            "id": self.number,
            "name": _short(self.name or (frame.source if frame else "")),
            "source": _short(frame.source) if frame else "",
            "index": frame.index if frame else None,
            "version": self.version,
            "seen_seconds": self.seen(now),
            "age_ms": None if frame is None or not self._ages else (time.monotonic_ns() - frame.captured_ns) / 1e6,
            "size": list(frame.image.shape[1::-1]) if frame else None,
            "fps": self._rate(now),
            "latency_ms": _spread(self._spent),
            "verdict_age_ms": _spread(self._ages),
            "processed": self.processed,
            "failed": self.failed,
            "error": _short(self.error),
            **_said(self.record.result if self.record else None),
        }

    def _rate(self, now: float) -> float:
        recent = [moment for moment in self._moments if now - moment <= _WINDOW]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-6)


class Board:
    """Takes records in one thread and is asked in another. Constant memory: 16 lanes at most, a picture each.

    Every live source has a lane of its own; files, and the files of a folder that is watched, share one.
    """

    def __init__(self, stale_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        self._names: tuple[str, ...] = ()
        self._counts: Callable[[], Counts] | None = None
        self._final: Counts | None = None

    def follow(self, counts: Callable[[], Counts], names: Sequence[str]) -> None:
        """Take the counts from here, and give live sources of these names a lane, in this order."""
        with self._lock:
            self._counts = counts
            self._names = tuple(dict.fromkeys(names))

    def put(self, record: Record) -> None:
        """The next record."""
        with self._lock:
            self._lane(record).put(record)

    def end(self, counts: Counts) -> None:
        """There will be no more."""
        with self._lock:
            self._final = counts

    def health(self) -> dict[str, Any]:
        """`status` (`ok`, `starting`, `stale`, `ended`) and the age of the newest frame in seconds."""
        now = time.monotonic()
        with self._lock:
            ages = [seen for lane in self._lanes.values() if (seen := lane.seen(now)) is not None]
            ended = self._final is not None
        age = min(ages, default=None)
        if ended:
            status = "ended"
        elif age is None:
            status = "starting"
        else:
            status = "stale" if age > self._stale_seconds else "ok"
        return {"status": status, "age_seconds": None if age is None else round(age, 3)}

    def as_object(self) -> dict[str, Any]:
        """Everything that the page shows but the pictures."""
        now = time.monotonic()
        with self._lock:
            ordered = sorted(self._lanes.values(), key=self._place)
            lanes = [lane.as_object(now) for lane in ordered]
            record = next((lane.record for lane in self._lanes.values() if lane.record), None)
            processed = sum(lane.processed for lane in self._lanes.values())
            failed = sum(lane.failed for lane in self._lanes.values())
            ask, final = self._counts, self._final
        # Asked without the lock: the answer may need one of the pipeline's.
        counts = final or (ask() if ask else None)
        known = asdict(counts) if counts else {"processed": processed, "failed": failed}
        model = {"artifact": record.artifact, "engine": record.engine, "bundle": record.bundle} if record else None
        return {**self.health(), "counts": known, "model": model, "lanes": lanes}

    def picture(self, number: int) -> tuple[int, Image] | None:
        """The newest picture of a lane, by the lane's `id`, and the picture's version; None where there is none."""
        with self._lock:
            lane = next((lane for lane in self._lanes.values() if lane.number == number), None)
            if lane is None or lane.record is None or lane.record.frame is None or not lane.record.frame.image.size:
                return None
            return lane.version, lane.record.frame.image

    def _lane(self, record: Record) -> Lane:
        key = self._key(record)
        if key not in self._lanes:
            if len(self._lanes) >= _LANES:
                key = next(reversed(self._lanes))
            else:
                self._lanes[key] = Lane(len(self._lanes), key)
        return self._lanes[key]

    def _place(self, lane: Lane) -> tuple[int, int]:
        return self._names.index(lane.name) if lane.name in self._names else len(self._names), lane.number

    def _key(self, record: Record) -> str:
        if record.failure is not None:
            name = record.failure.source
            return name if name in self._names or name in self._lanes else ""
        assert record.frame is not None
        is_live = record.timing is not None and record.timing.age is not None
        name = record.frame.source
        return name if is_live and (name in self._names or not self._names) else ""


def _said(result: Any) -> dict[str, Any]:
    """The result in a few lines."""
    predictions: list[dict[str, Any]] = []
    outputs: list[str] = []
    decision = None
    if isinstance(result, Classification):
        predictions = [
            {"label": _short(one.label), "class_id": one.class_id, "score": one.score}
            for one in result.predictions[:_CLASSES]
        ]
        if result.decision is not None:
            made = result.decision
            decision = {"label": _short(made.label), "class_id": made.class_id, "reason": _short(made.reason)}
    elif isinstance(result, RawOutputs):
        outputs = [
            f"{_short(name)} {tensor.dtype.name}{list(tensor.shape)}"
            for name, tensor in list(result.tensors.items())[:_CLASSES]
        ]
    return {"predictions": predictions, "decision": decision, "outputs": outputs}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return {"p50": ordered[len(ordered) // 2], "p95": ordered[min(len(ordered) - 1, round(len(ordered) * 0.95))]}


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
