"""A search as a person watches it: a line a trial, and on a terminal one live line for what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orilla.cli.bars import watched
from orilla.cli.console import escaped, percent, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from orilla.tuning.progress import Event
    from orilla.tuning.records import Trial


@contextmanager
def tuning_display(quiet: bool) -> Iterator[Callable[[Event], None]]:
    """Yields the `progress` of `orilla.tune`; everything goes to standard error."""
    with watched(quiet, _plain_line, _Live, width=20, speed_seconds=3600) as progress:
        yield progress


class _Live:
    """One bar for the trials of the study, with the epochs of this worker's trial behind it."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("trials", total=None, figures="")

    def __call__(self, event: Event) -> None:
        from orilla.tuning.progress import Ended, Epoch, Opened

        match event:
            case Opened(_, finished, total, _):
                self._bars.update(self._task, completed=finished, total=total)
            case Epoch(number, end):
                figures = f"trial {number}: epoch {end.epoch}/{end.epochs}, validation {percent(end.val_accuracy)}"
                self._bars.update(self._task, figures=escaped(figures))
            case Ended(_, _, finished, total):
                self._bars.update(self._task, completed=finished, total=total)
        line = _line(event)
        if line:
            self._bars.console.print(escaped(line), highlight=False, soft_wrap=True)


def _plain_line(event: Event) -> None:
    line = _line(event)
    if line:
        say(line)


def _line(event: Event) -> str:
    """An event as one line; empty for what would be too many lines."""
    from orilla.tuning.progress import Ended, Note, Opened, Waiting

    match event:
        case Opened(folder, finished, total, best):
            so_far = f", best so far {_best(best)}" if best else ""
            return f"{folder}: {finished} of {total} trials are over{so_far}"
        case Ended(trial, best, _, _):
            return _trial(trial, best)
        case Waiting(running):
            return f"waiting for {running} of other workers"
        case Note(text):
            return f"note: {text}"
    return ""


def _trial(trial: Trial, best: Trial | None) -> str:
    from orilla.tuning.space import spelled_values

    if trial.state == "failed":
        how = f"failed: {trial.reason}"
    else:
        how = f"{percent(trial.accuracy or 0)}, loss {trial.loss or 0:.3f}, {trial.epochs} epochs"
        how += f", {trial.seconds:.0f} s"
        how += " (pruned)" if trial.state == "pruned" else ""
    name = f"{trial.model} " if trial.model else ""
    tried = f"{name}default recipe" if trial.default else name + spelled_values(trial.values)
    mark = "; the best so far" if best is not None and best.number == trial.number else ""
    return f"trial {trial.number}: {how}{mark}; {tried}"


def _best(trial: Trial) -> str:
    return f"{percent(trial.accuracy or 0)} (trial {trial.number})"
