"""Decoding JPEGs at a part of their size: for less work, where the labels stay the same."""

from __future__ import annotations

import threading
from collections.abc import Callable

from orilla_runtime.pipeline.jobs import Job, Outcome, Verdict
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Failure, Frame, Pending
from orilla_runtime.tasks.classification import Classification

FIRST, AGAIN, BLOCK = 100, 20, 1000
"""Compared are the first 100 pictures, and 20 of every further 1,000: a folder's classes often lie in order."""

LEAST = 50
"""Comparisons without which nothing is decided."""

AGREEMENT = 0.99
"""Share of the comparisons that must give the same best class."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """What became of it: pictures that were decoded at a part of their size, and how the comparisons went."""

    pictures: int = 0
    compared: int = 0
    agreed: int = 0


class Reduction:
    """Decides picture by picture, the same in every run over the same files.

    A picture may be reduced as long as the part that the model sees keeps at least the tensor's size on both sides.
    With `always` nothing is compared. Otherwise some pictures are decoded and inferred both ways; the result of the
    whole picture counts. Those that follow wait for the comparison, and are reduced where at least 99 % of all
    comparisons until there agreed.
    """

    def __init__(self, preprocess: Preprocess, *, always: bool) -> None:
        self._preprocess = preprocess
        self._always = always
        self._changed = threading.Condition()
        self._done = 0
        self._verdicts: dict[int, bool] = {}
        self._reduced = self._compared = self._agreed = 0

    @property
    def summary(self) -> Reduced:
        """What became of it until now."""
        with self._changed:
            return Reduced(self._reduced, self._compared, self._agreed)

    def outcome(self, job: Job, picture: Pending, judge: Callable[[Frame], Verdict | Failure]) -> Outcome:
        """Decode and infer one picture."""
        if not self._always:
            if job.number % BLOCK < (AGAIN if job.number >= BLOCK else FIRST):
                return self._compare(picture, judge)
            if not self._is_allowed(job.number):
                return _judged(picture.decode(), judge)
        outcome = _judged(picture.decode(self.part), judge)
        if isinstance(outcome, Verdict) and outcome.frame.reduction > 1:
            with self._changed:
                self._reduced += 1
        return outcome

    def part(self, rows: int, columns: int) -> int:
        """The part of a picture's size that is enough for the tensor: 1, 2, 4 or 8."""
        height, width = self._preprocess.size
        if self._preprocess.fit == "letterbox":
            spare = max(rows / height, columns / width)
        elif self._preprocess.fit == "crop":
            spare = min(rows / height, columns / width) * self._preprocess.crop_fraction
        else:
            spare = min(rows / height, columns / width)
        return next((part for part in (8, 4, 2) if spare >= part), 1)

    def _compare(self, picture: Pending, judge: Callable[[Frame], Verdict | Failure]) -> Outcome:
        agreed: bool | None = None
        try:
            whole = _judged(picture.decode(), judge)
            if isinstance(whole, Verdict):
                reduced = picture.decode(self.part)
                if isinstance(reduced, Failure) or reduced.reduction > 1:
                    agreed = _best(whole) is not None and _best(whole) == _best(_judged(reduced, judge))
            return whole
        finally:
            with self._changed:
                self._done += 1
                if agreed is not None:
                    self._compared += 1
                    self._agreed += agreed
                self._changed.notify_all()

    def _is_allowed(self, number: int) -> bool:
        block = number // BLOCK
        needed = FIRST + AGAIN * block
        with self._changed:
            self._changed.wait_for(lambda: block in self._verdicts or self._done >= needed)
            if block not in self._verdicts:
                enough = self._compared >= LEAST
                self._verdicts[block] = enough and self._agreed >= AGREEMENT * self._compared
            return self._verdicts[block]


def _judged(decoded: Frame | Failure, judge: Callable[[Frame], Verdict | Failure]) -> Verdict | Failure:
    return decoded if isinstance(decoded, Failure) else judge(decoded)


def _best(outcome: Verdict | Failure) -> int | None:
    if isinstance(outcome, Verdict) and isinstance(outcome.result, Classification):
        return outcome.result.top.class_id
    return None
