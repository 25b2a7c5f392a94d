"""What a person may ask of a source."""

from __future__ import annotations

import re

from orilla_runtime.errors import UsageError
from orilla_runtime.records import dataclass
from orilla_runtime.sources.picture import MAX_PIXELS


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Options of all kinds of sources; each takes what it knows.

    width, height, fps: what a camera is asked for; it gives the nearest that it has. None leaves its own.
    pixel_format: four letters, `MJPG` or `YUYV`, that a camera is asked for. None: `MJPG` where a size above 640x480 is
        asked for, because bare pixels of that size do not fit through USB 2 at a camera's rate.
    timeout_seconds: how long a camera or a stream may stay silent before it counts as lost.
    retries: how many attempts in a row to connect again may fail before a source is given up. None: three before the
        first picture, without limit after it.
    retry_seconds: the pause before the first attempt to connect again; each further one is twice as long, up to 30 s,
        and shortened by chance by up to a half, so that cameras do not come back all at once. A connection that gave
        pictures for ten times as long ends the series; a shorter one is one more failed attempt.
    frozen_seconds: how long pictures may be identical, or of one flat tone, before that is reported; None: never.
    raw: standard input holds bare frames, `640x480:bgr24`; None: JPEGs one after the other.
    insecure: accept any certificate of https:// and rtsps://; many cameras sign their own.
    max_pixels: larger pictures and videos are refused before they are decoded.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    timeout_seconds: float = 10.0
    max_pixels: int = MAX_PIXELS
    pixel_format: str | None = None
    retries: int | None = None
    retry_seconds: float = 0.5
    frozen_seconds: float | None = 30.0
    raw: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"The source option {name} must be above 0, not {value!r}.")
        if self.timeout_seconds > _DAY:
            raise UsageError(f"The source option timeout_seconds must be a day at most, not {self.timeout_seconds!r}.")
        if self.retries is not None and self.retries < 0:
            raise UsageError(f"The source option retries must be 0 or more, not {self.retries!r}.")
        if self.pixel_format is not None and re.fullmatch(r"[ -~]{4}", self.pixel_format) is None:
            raise UsageError(f"A pixel format has four letters, such as MJPG or YUYV, not {self.pixel_format!r}.")


_DAY = 86_400.0
_POSITIVE = ("width", "height", "fps", "timeout_seconds", "max_pixels", "retry_seconds", "frozen_seconds")
