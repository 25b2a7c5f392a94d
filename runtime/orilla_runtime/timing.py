"""What one frame cost."""

from __future__ import annotations

from orilla_runtime.records import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """What one frame cost, in milliseconds; `age`: from the capture to the verdict, None for files."""

    decode: float
    preprocess: float
    infer: float
    postprocess: float
    age: float | None = None
