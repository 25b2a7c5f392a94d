"""Long work as a person watches it: a live bar on a terminal, plain lines in a pipe, nothing where none is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

Event = TypeVar("Event")


@contextmanager
def watched(
    quiet: bool,
    plain: Callable[[Event], None],
    live: Callable[[Bars], Callable[[Event], None]],
    *,
    width: int = 40,
    speed_seconds: float = 30.0,
) -> Iterator[Callable[[Event], None]]:
    """Yields what takes the events of the work; everything goes to standard error.

    plain: shows an event where standard error is no terminal. live: gives what shows events on a terminal, by bars with
    a field `figures`. width: of a bar, in letters. speed_seconds: over how long the time that is left is judged.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield _nothing
    elif not console.is_terminal:
        yield plain
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=width),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=console, transient=True, speed_estimate_period=speed_seconds) as bars:
            yield live(bars)


def _nothing(_event: object) -> None:
    """Shows nothing."""
