"""Records with known content, as a pipeline would make them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from orilla_runtime.sinks.base import Record, Timing
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.tasks.classification import Classification, Prediction

CAPTURED_AT = datetime(2030, 5, 17, 8, 30, 0, 250_000, tzinfo=UTC)
RESULT = Classification((Prediction("tabby", 281, 0.75), Prediction("Katze, groß", 282, 0.125)))


def frame_record(
    source: str = "photos/cat.jpg",
    index: int = 0,
    *,
    size: tuple[int, int] = (48, 64),
    pts: float | None = None,
    result: object = RESULT,
) -> Record:
    image = np.full((*size, 3), 90, np.uint8)
    image[:, : size[1] // 2] = 200
    image.setflags(write=False)
    frame = Frame(image, index, source, pts, index * 40_000_000, CAPTURED_AT, 1_500_000)
    return Record(frame, result, Timing(1.5, 0.25, 4.0, 0.125), None, "ab" * 32, "artifacts/int8.tflite", "litert/cpu")


def failure_record(source: str = "photos/cut.jpg", index: int = 1) -> Record:
    failure = Failure(source, index, f"{source} is a JPEG that is cut off.")
    return Record(None, None, None, failure, "ab" * 32, "artifacts/int8.tflite", "litert/cpu")
