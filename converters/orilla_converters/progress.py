"""What a conversion says while it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """A step begins.

    `name` is one of `read`, `calibrate`, `write`, `verify`, `diagnose`, `repair`, `measure`, `bundle`; `detail` is for
    people.
    """

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user should know and that stops nothing."""

    text: str


class Progress(Protocol):
    """Takes events as they happen; called from one thread at a time."""

    def __call__(self, event: Step | Note) -> None: ...


def silent(event: Step | Note) -> None:
    """The progress that nobody looks at."""
