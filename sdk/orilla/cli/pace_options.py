"""The options that say how fast, and how much of the sources, is worked off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orilla_runtime.pipeline.reduction import Reduced
    from orilla_runtime.sinks.base import Sink

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--every", type=click.IntRange(min=1), help="Only every so many-th frame of each source."),
    click.option(
        "--rate", type=click.FloatRange(min=0, min_open=True), help="Cameras: at most so many frames a second."
    ),
    click.option("--workers", type=click.IntRange(min=1), help="Pictures at once; by default one a CPU."),
    click.option(
        "--decode",
        type=click.Choice(["auto", "full", "reduced"]),
        default="auto",
        show_default=True,
        help="JPEGs at a half or less of their size: where the model needs no more and the labels agree (auto).",
    ),
)
_NAMES = ("every", "rate", "workers", "decode")


def pace_options(function: F) -> F:
    """Add the options to a command; `taken_pace` takes what arrives."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def taken_pace(others: dict[str, Any]) -> dict[str, Any]:
    """What of a command's keyword arguments is a `Pipeline`'s; it is taken out of `others`."""
    given = {name: others.pop(name) for name in _NAMES}
    return {name: value for name, value in given.items() if value is not None}


def without_loss(pace: dict[str, Any], sinks: Sequence[Sink]) -> dict[str, Any]:
    """The same, with whole pictures where a sink shows them and nobody asked for smaller ones."""
    if pace.get("decode") == "auto" and not all(getattr(sink, "durable", False) for sink in sinks):
        return {**pace, "decode": "full"}
    return pace


def reduced_line(reduced: Reduced) -> str:
    """What to say about it; empty where nothing was compared or reduced."""
    if not (reduced.compared or reduced.pictures):
        return ""
    compared = f"{reduced.agreed} of {reduced.compared} labels were the same both ways" if reduced.compared else ""
    done = f"{reduced.pictures} pictures were decoded at a part of their size"
    return f"{done}; {compared}." if compared else f"{done}."
