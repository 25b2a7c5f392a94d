"""The options that turn scores into decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orilla_runtime.errors import UsageError

if TYPE_CHECKING:
    from orilla_runtime.decisions import Decider
    from orilla_runtime.pipeline import PictureModel

F = TypeVar("F", bound=Callable[..., Any])

_SHARE = click.FloatRange(0, 1)
_SMOOTH = click.option("--smooth", type=click.IntRange(min=1), help="Videos and cameras: mean score of so many frames.")
_PICTURE_OPTIONS = (
    click.option("--threshold", type=_SHARE, help="Below this score the decision is `unknown`."),
    click.option(
        "--class-threshold", "class_thresholds", multiple=True, metavar="LABEL=SCORE", help="For one class alone."
    ),
    click.option("--margin", type=_SHARE, help="A smaller lead over the second class is `unknown` too."),
    click.option("--region", metavar="X,Y,W,H", help="Look at this part alone: pixels, or 25%,25%,50%,50%."),
)


def decision_options(function: F) -> F:
    """Add the options to a command; `taken_decisions` takes what arrives."""
    return _with(function, (*_PICTURE_OPTIONS, _SMOOTH))


def picture_decision_options(function: F) -> F:
    """Those that have a meaning for single pictures."""
    return _with(function, _PICTURE_OPTIONS)


def _with(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


class Decisions:
    """What was asked for, until the model is there to be asked for its labels."""

    def __init__(
        self,
        threshold: float | None,
        class_thresholds: Sequence[str],
        margin: float | None,
        smooth: int | None,
        region: str | None,
    ) -> None:
        from orilla_runtime.decisions import Region, Rules

        self._smooth = smooth or 1
        self._region = None if region is None else Region.parse(region)
        given = threshold is not None or margin is not None or class_thresholds or smooth is not None
        named = dict(map(_named, class_thresholds))
        self._rules = Rules(threshold or 0.0, named, margin or 0.0) if given else None

    @property
    def have_rules(self) -> bool:
        """Whether anything is decided."""
        return self._rules is not None

    def least_classes(self, top: int) -> int:
        """How many classes a result must hold: a lead needs the second, a mean more than the first."""
        return max(top, 2) if self._rules is not None else top

    def decider(self, labels: Sequence[str]) -> Decider | None:
        """The step of the run; None where nothing was asked for. Raises UsageError."""
        from orilla_runtime.decisions import Decider

        return None if self._rules is None else Decider(self._rules, labels, self._smooth)

    def model(self, model: PictureModel) -> PictureModel:
        """The model that looks at the region."""
        from orilla_runtime.decisions import RegionModel

        return model if self._region is None else RegionModel(model, self._region)


def taken_decisions(others: dict[str, Any]) -> Decisions:
    """What a command's keyword arguments, which are taken out of `others`, ask for. Raises UsageError."""
    names = ("threshold", "class_thresholds", "margin", "smooth", "region")
    return Decisions(*(others.pop(name, None) for name in names))


def _named(text: str) -> tuple[str, float]:
    label, _, value = text.rpartition("=")
    try:
        return label, float(value)
    except ValueError:
        raise UsageError(f"--class-threshold {text!r} is not LABEL=SCORE.", "For example scratch=0.8.") from None
