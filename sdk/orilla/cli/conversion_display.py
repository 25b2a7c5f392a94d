"""A conversion as a person watches it: a live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orilla.cli.console import escaped, say

if TYPE_CHECKING:
    from orilla_converters.progress import Note, Progress, Step


@contextmanager
def conversion_display(quiet: bool) -> Iterator[Progress]:
    """Yields the `progress` of `orilla.convert`; everything goes to standard error, nothing with --quiet."""
    from rich.console import Console

    from orilla_converters.progress import Step, silent

    console = Console(stderr=True)
    if quiet:
        yield silent
    elif not console.is_terminal:
        yield lambda event: say(_line(event))
    else:
        with console.status("starting") as status:

            def show(event: Step | Note) -> None:
                if isinstance(event, Step):
                    status.update(escaped(_line(event)))
                else:
                    console.print(escaped(_line(event)), highlight=False)

            yield show


def _line(event: Step | Note) -> str:
    from orilla_converters.progress import Note

    return f"note: {event.text}" if isinstance(event, Note) else f"{event.name}: {event.detail}"
