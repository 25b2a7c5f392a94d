"""What a person may ask of a source."""

from __future__ import annotations

from dataclasses import dataclass

from orilla_runtime.errors import UsageError
from orilla_runtime.sources.picture import MAX_PIXELS


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Options of all kinds of sources; each takes what it knows.

    width, height, fps: what a camera is asked for; it gives the nearest that it has. None leaves its own.
    timeout_seconds: how long a camera may stay silent before it counts as lost.
    max_pixels: larger pictures and videos are refused before they are decoded.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    timeout_seconds: float = 10.0
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name in ("width", "height", "fps", "timeout_seconds", "max_pixels"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"The source option {name} must be above 0, not {value!r}.")
