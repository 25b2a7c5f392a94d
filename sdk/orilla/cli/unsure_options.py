"""The options that save pictures of unsure frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orilla_runtime.errors import UsageError

if TYPE_CHECKING:
    from orilla_runtime.sinks.unsure import UnsureSink

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--save-unsure", metavar="FOLDER", help="Save pictures whose decision is `unknown`, to train on."),
    click.option(
        "--unsure-limit",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MB",
        help="The most that this folder may hold; 500 MB by default.",
    ),
    click.option("--unsure-kind", type=click.Choice(["jpg", "png"]), help="As JPEG (by default) or without loss."),
    click.option(
        "--unsure-seconds",
        type=click.FloatRange(min=0),
        help="Of each camera at most one picture in so many seconds; 1 by default.",
    ),
)
_NAMES = {"unsure_limit": "limit_mb", "unsure_kind": "kind", "unsure_seconds": "seconds"}


def unsure_options(function: F) -> F:
    """Add the options to a command; `taken_unsure` takes what arrives."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def taken_unsure(others: dict[str, Any], *, has_rules: bool) -> Callable[[], UnsureSink] | None:
    """What opens the sink that a command's keyword arguments, which are taken out of `others`, ask for.

    Raises:
        UsageError: options without a folder, or a run that decides nothing.
    """
    folder = others.pop("save_unsure")
    given = {name: others.pop(option) for option, name in _NAMES.items()}
    given = {name: value for name, value in given.items() if value is not None}
    if folder is None:
        if given:
            raise UsageError("Where unsure pictures go is not said.", "Add --save-unsure FOLDER.")
        return None
    if not has_rules:
        raise UsageError("Without rules no picture is unsure.", "Add --threshold, --class-threshold or --margin.")

    def opened() -> UnsureSink:
        from orilla_runtime.sinks.unsure import UnsureSink

        return UnsureSink(Path(folder), **given)

    return opened
