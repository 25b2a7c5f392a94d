"""Training as a person watches it: one live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orilla.cli.bars import watched
from orilla.cli.console import escaped, percent, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from orilla.training.progress import EpochEnd, Event


@contextmanager
def training_display(quiet: bool) -> Iterator[Callable[[Event], None]]:
    """Yields the `progress` of `orilla.train`; everything goes to standard error."""
    with watched(quiet, _plain_line, _Live) as progress:
        yield progress


class _Live:
    """One bar for the phase that runs: its pictures, or its epochs with what they have come to; then a line is left."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._validated = ""

    def __call__(self, event: Event) -> None:
        from orilla.training.progress import Advance, EpochEnd, Phase, Steps

        match event:
            case Phase(name, detail, total):
                if self._task is not None:
                    self._bars.remove_task(self._task)
                self._bars.console.print(escaped(f"{name}: {detail}"), highlight=False)
                self._task = self._bars.add_task(name, total=total, figures="")
                self._validated = ""
            case Advance(done) if self._task is not None:
                self._bars.update(self._task, completed=done)
            case Steps() if self._task is not None:
                figures = f"loss {event.loss:.3f}, right {percent(event.accuracy)}{self._validated}"
                behind = round(event.epoch - 1 + event.done / event.total, 2)
                self._bars.update(self._task, completed=behind, figures=figures)
            case EpochEnd() if self._task is not None:
                self._validated = f"; {_validated(event)}, rate {event.learning_rate:.2g}"
                self._bars.update(self._task, completed=event.epoch, figures=_figures(event))
            case _:
                line = _line(event)
                if line:
                    self._bars.console.print(escaped(line), highlight=False)


def _plain_line(event: Event) -> None:
    line = _line(event)
    if line:
        say(line)


def _line(event: Event) -> str:
    """An event as one line; empty for what would be too many lines."""
    from orilla.training.progress import EpochEnd, Note, Phase

    match event:
        case Phase(name, detail, _):
            return f"{name}: {detail}"
        case Note(text):
            return f"note: {text}"
        case EpochEnd():
            return f"epoch {event.epoch}/{event.epochs}: {_figures(event)}, {event.seconds:.1f} s{_left(event)}"
    return ""


def _figures(end: EpochEnd) -> str:
    return f"loss {end.loss:.3f}, right {percent(end.accuracy)}; {_validated(end)}, rate {end.learning_rate:.2g}"


def _validated(end: EpochEnd) -> str:
    balanced = "" if end.val_balanced is None else f" ({percent(end.val_balanced)} over classes)"
    return f"validation loss {end.val_loss:.3f}, right {percent(end.val_accuracy)}{balanced}"


def _left(end: EpochEnd) -> str:
    """How long the rest takes if nothing ends it early."""
    seconds = end.seconds * (end.epochs - end.epoch)
    if not seconds:
        return ""
    return f", {seconds / 60:.0f} min left" if seconds > 100 else f", {seconds:.0f} s left"
