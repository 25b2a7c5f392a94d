"""What a run came to: counts, speed, and what each stage cost."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orilla_runtime.model import Model
    from orilla_runtime.pipeline import Pipeline
    from orilla_runtime.sinks.base import Record

STAGES = ("decode", "preprocess", "infer", "postprocess")


class Summary:
    """Collects the times of a run of any length in constant memory."""

    def __init__(self, pipeline: Pipeline, model: Model) -> None:
        self._pipeline = pipeline
        self._model = model
        self._stages = {stage: Times() for stage in STAGES}
        self._age = Times()
        self._started = self._ended = time.monotonic()

    def add(self, record: Record) -> None:
        """Take the times of one frame."""
        self._ended = time.monotonic()
        if record.timing is not None:
            for stage, times in self._stages.items():
                times.add(getattr(record.timing, stage))
            if record.timing.age is not None:
                self._age.add(record.timing.age)

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints."""
        counts = self._pipeline.counts
        return {
            "processed": counts.processed,
            "failed": counts.failed,
            "dropped": counts.dropped,
            "skipped": counts.skipped,
            "seconds": round(self._seconds, 3),
            "frames_per_second": round(self._rate, 2),
            "median_ms": {stage: times.percentile(50) for stage, times in self._stages.items()},
            "p95_ms": {stage: times.percentile(95) for stage, times in self._stages.items()},
            **self._reduced(),
            **self._ages(),
            "sinks": [asdict(report) for report in self._pipeline.reports],
            "failures": [
                {"source": failure.source, "index": failure.index, "error": failure.error}
                for failure in self._pipeline.failures
            ],
            "bundle": self._model.bundle_id,
            "artifact": self._model.artifact,
            "engine": self._model.engine,
        }

    def line(self) -> str:
        """What a person gets to read."""
        counts = self._pipeline.counts
        parts = [f"{counts.processed} frames"]
        if counts.failed:
            parts.append(f"{counts.failed} failed")
        if counts.dropped:
            parts.append(f"{counts.dropped} dropped")
        if counts.skipped:
            parts.append(f"{counts.skipped} skipped")
        text = f"{', '.join(parts)} in {self._seconds:.1f} s"
        if counts.processed:
            medians = ", ".join(f"{stage} {times.percentile(50):.2f}" for stage, times in self._stages.items())
            text += f" ({self._rate:.1f} a second); median ms: {medians}"
            if self._pipeline.live:
                text += f", age {self._age.percentile(50):.0f} (p95 {self._age.percentile(95):.0f})"
        return f"{text}; {self._model.artifact} on {self._model.engine}"

    def _reduced(self) -> dict[str, Any]:
        reduced = self._pipeline.reduced
        return {"reduced_decoding": asdict(reduced)} if reduced.pictures or reduced.compared else {}

    def _ages(self) -> dict[str, Any]:
        """How old frames of live sources were at their verdicts."""
        if not self._pipeline.live:
            return {}
        return {"age_ms": {"median": self._age.percentile(50), "p95": self._age.percentile(95)}}

    @property
    def _seconds(self) -> float:
        return self._ended - self._started

    @property
    def _rate(self) -> float:
        return self._pipeline.counts.processed / self._seconds if self._seconds > 0 else 0.0


class Times:
    """Milliseconds in bins that are 1 % wide: percentiles without keeping the values."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()

    def add(self, milliseconds: float) -> None:
        """Count one value; below 0.1 µs they are all the same."""
        self._bins[round(math.log(max(milliseconds, 1e-4)) * 100)] += 1

    def percentile(self, percent: float) -> float | None:
        """The value below which so many per cent lie, to about 1 %; None without any."""
        wanted, seen = self._bins.total() * percent / 100, 0
        for place in sorted(self._bins):
            seen += self._bins[place]
            if seen >= wanted:
                return round(math.exp(place / 100), 4)
        return None
