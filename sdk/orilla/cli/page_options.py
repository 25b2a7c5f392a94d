"""`--page`: a run in a browser."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orilla_runtime.errors import UsageError

if TYPE_CHECKING:
    from orilla_runtime.sinks.page.sink import PageSink

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--page",
        metavar="[HOST:]PORT",
        help="Show the run to a browser; hosts beyond this machine need a token. Extra: serve.",
    ),
    click.option(
        "--token-file", type=click.Path(), help="The page: this file's text is its token; or the variable ORILLA_TOKEN."
    ),
    click.option(
        "--page-stale",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="The page: age of the newest frame from which /healthz says 503 [15].",
    ),
)


def page_options(function: F) -> F:
    """Add the options to a command; `taken_page` takes what arrives."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def taken_page(others: dict[str, Any]) -> Callable[[], PageSink] | None:
    """What opens the page that a command's keyword arguments, which are taken out of `others`, ask for.

    Raises:
        ServiceError: starlette or uvicorn is missing.
        UsageError: no such place, or other machines can reach it and there is no token.
    """
    place, file, stale = others.pop("page"), others.pop("token_file"), others.pop("page_stale")
    if place is None:
        return None
    from orilla_runtime.sinks.page import page_opener

    if stale is not None and not stale < math.inf:
        raise UsageError(f"--page-stale {stale} is not possible.", "Give a number of seconds.")
    given = {} if stale is None else {"stale_seconds": stale}
    return page_opener(place, None if file is None else Path(file), os.environ, **given)
