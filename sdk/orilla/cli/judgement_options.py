"""The options that say what a judgement is to find out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orilla.evaluation.judgement import Criteria

F = TypeVar("F", bound=Callable[..., Any])

_SHARE = click.FloatRange(0, 1)
_NAMES = ("top_k", "false_reject_rate", "accepted_precision", "ok_class")
_OPTIONS = (
    click.option("--top-k", type=click.IntRange(min=1), default=5, show_default=True, help="Among so many classes."),
    click.option(
        "--false-reject-rate",
        type=_SHARE,
        default=0.05,
        show_default=True,
        help="Propose the threshold that rejects at most this share of what is right.",
    ),
    click.option("--accepted-precision", type=_SHARE, help="Or: the one above which this share of answers is right."),
    click.option("--ok-class", metavar="LABEL", help="Inspection: the class of good parts; all others are defects."),
)


def judgement_options(function: F) -> F:
    """Add the options to a command; `criteria_of` takes what arrives."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def criteria_of(options: dict[str, Any]) -> Criteria:
    """The criteria, taken out of a command's options."""
    from orilla.evaluation.judgement import Criteria

    top_k, rate, precision, ok_class = (options.pop(name) for name in _NAMES)
    return Criteria(top_k=top_k, false_reject_rate=rate, precision=precision, ok_class=ok_class)
