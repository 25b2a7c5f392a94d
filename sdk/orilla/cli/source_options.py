"""The options that say how sources are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orilla_runtime.sources.options import SourceOptions

F = TypeVar("F", bound=Callable[..., Any])

_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_OPTIONS = (
    click.option("--width", type=click.IntRange(min=1), help="Cameras: pixels to ask for; see also --height."),
    click.option("--height", type=click.IntRange(min=1), help="Cameras: see --width."),
    click.option("--fps", type=_ABOVE_0, help="Cameras: frames a second to ask for. Streams: at most so many."),
    click.option("--pixel-format", help="Cameras: MJPG, YUYV, …; by default MJPG above 640x480."),
    click.option("--timeout", "timeout_seconds", type=_ABOVE_0, help="Seconds a live source may be silent [10]."),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        help="Failed attempts in a row to connect again [2 before the first picture, then without limit].",
    ),
    click.option("--retry-seconds", type=_ABOVE_0, help="Pause before connecting again; doubled each time [0.5]."),
    click.option(
        "--frozen", "frozen_seconds", type=_ABOVE_0, help="Seconds of equal or blank pictures to report [30]."
    ),
    click.option("--raw", metavar="WxH:FORMAT", help="Standard input holds bare frames: 640x480:bgr24."),
    click.option("--insecure", is_flag=True, help="Accept any certificate of https:// and rtsps:// cameras."),
)
_NAMES = (
    *("width", "height", "fps", "pixel_format", "raw", "insecure"),
    *("timeout_seconds", "retries", "retry_seconds", "frozen_seconds"),
)


def source_options(function: F) -> F:
    """Add the options to a command; `taken_options` takes what arrives."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def taken_options(others: dict[str, Any]) -> SourceOptions:
    """The source options among a command's keyword arguments, which are taken out of `others`. Raises UsageError."""
    from orilla_runtime.sources.options import SourceOptions

    given = {name: others.pop(name) for name in _NAMES}
    return SourceOptions(**{name: value for name, value in given.items() if value is not None})
