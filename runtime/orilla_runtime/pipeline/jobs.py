"""What travels through a run: a job, from the moment its frame was read until its verdict is delivered."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.preprocess import as_bgr
from orilla_runtime.records import dataclass, replace
from orilla_runtime.sources.base import Failure, Frame, Pending, Source
from orilla_runtime.timing import Timing

Item = Frame | Failure | Pending


@dataclass(frozen=True, slots=True)
class Verdict:
    """A frame with what the model says of it, and what that cost."""

    frame: Frame
    result: Any
    timing: Timing


Outcome = Verdict | Failure | BaseException


class Job:
    """One item, the number of undecoded pictures before it and, later, its outcome."""

    __slots__ = ("item", "number", "outcome", "size")

    def __init__(self, item: Item | BaseException, number: int = 0) -> None:
        # What needs no work is its own outcome.
        self.outcome: Outcome | None = item if isinstance(item, Failure | BaseException) else None
        self.item: Item | BaseException = item
        self.number = number
        self.size = 0


class Feed(Protocol):
    """Hands jobs to the workers, and what became of them, in the order of reading, to the one who runs the pipeline."""

    @property
    def dropped(self) -> int:
        """What was read and will get no verdict."""
        ...

    @property
    def skipped(self) -> int:
        """Frames that nobody wanted."""
        ...

    @property
    def exhausted(self) -> bool:
        """True when there will be no further job."""
        ...

    def start(self) -> None:
        """Begin to read."""
        ...

    def take(self) -> Job | None:
        """For a worker: the next job, as soon as there is one; None when there will be none."""
        ...

    def settle(self, job: Job, outcome: Outcome) -> None:
        """For a worker: the job is done."""
        ...

    def finished(self, seconds: float) -> Job | None:
        """For the one who runs the pipeline: the next job in order, when it is done; None after so many seconds."""
        ...

    def wind_up(self) -> None:
        """Hand out no further job; those that are being worked on can be finished."""
        ...

    def close(self) -> None:
        """Wake everybody and close the sources; within a second, also while a source hangs."""
        ...


def items(source: Source, *, undecoded: bool) -> Generator[Item, None, None]:
    """What a source yields; an error that it raises is a failure like others, and its last.

    A live source may raise anything: the death of one camera is no reason to end the others.
    """
    index = 0
    pending = getattr(source, "pending", None) if undecoded else None
    try:
        for item in source if pending is None else pending():
            yield _sound(item, source.name)
            index += 1
    except SourceError as error:
        yield Failure(source.name, index, error.message)
    except Exception as error:
        if not source.live:
            raise
        yield Failure(source.name, index, f"{source.name} failed: {type(error).__name__}: {error}.")


def _sound(item: Any, name: str) -> Item:
    """What a source gave, as everything behind it expects it: a program's own source may give other pictures.

    Grey and BGRA become BGR; what is no picture is a failure. Raises UsageError for what is neither.
    """
    if not isinstance(item, Frame):
        if isinstance(item, Failure) or (hasattr(item, "decode") and not isinstance(item, bytes)):
            return item
        raise UsageError(f"The source {name} gave a {type(item).__name__}.", "A source gives a Frame or a Failure.")
    image = item.image
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return item
    try:
        image = as_bgr(image)
    except SourceError as error:
        return Failure(item.source, item.index, f"{item.source}: {error.message}", "damaged")
    image.setflags(write=False)
    return replace(item, image=image)
