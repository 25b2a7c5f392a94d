"""The mean of the scores of the last frames, for each source on its own."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.base import Frame
from orilla_runtime.tasks.classification import Prediction

LONGEST_GAP = 2.0
"""Seconds between two frames; after a longer pause something else may stand before the camera."""

_SOURCES = 64
"""Sources that are remembered; of a folder of videos only the last ones matter."""


@dataclass(slots=True)
class _Past:
    seconds: float
    frames: deque[tuple[Prediction, ...]]


class Smoothing:
    """Averages each class over the last `frames` frames of a video or camera; pictures stand for themselves.

    A result holds the best classes alone: a class that is not among them counts as 0, so a mean is never too high.
    """

    def __init__(self, frames: int) -> None:
        if isinstance(frames, bool) or not isinstance(frames, int) or frames < 1:
            raise UsageError(f"Smoothing over {frames!r} frames is not possible.", "Give 1 (none) or more.")
        self._length = frames
        self._past: OrderedDict[str, _Past] = OrderedDict()

    def __call__(self, frame: Frame, predictions: tuple[Prediction, ...]) -> Sequence[Prediction]:
        """The classes with their mean scores, best first; equal ones in class order."""
        if self._length == 1 or (frame.pts_seconds is None and frame.index == 0):
            self._past.pop(frame.source, None)
            if self._length == 1:
                return predictions
        frames = self._frames(frame)
        frames.append(predictions)
        sums: dict[int, float] = {}
        names: dict[int, Prediction] = {}
        for past in frames:
            for one in past:
                names.setdefault(one.class_id, one)
                sums[one.class_id] = sums.get(one.class_id, 0.0) + one.score
        means = [Prediction(names[key].label, key, total / len(frames)) for key, total in sums.items()]
        return sorted(means, key=lambda one: (-one.score, one.class_id))

    def _frames(self, frame: Frame) -> deque[tuple[Prediction, ...]]:
        seconds = frame.captured_ns / 1e9 if frame.pts_seconds is None else frame.pts_seconds
        past = self._past.pop(frame.source, None)
        if past is None or not 0 <= seconds - past.seconds <= LONGEST_GAP:
            past = _Past(seconds, deque(maxlen=self._length))
        past.seconds = seconds
        self._past[frame.source] = past
        if len(self._past) > _SOURCES:
            self._past.popitem(last=False)
        return past.frames
