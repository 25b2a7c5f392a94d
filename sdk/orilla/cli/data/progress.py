"""Progress of work on many pictures: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orilla.cli.console import counted_progress, say

_SECONDS = 10.0


@contextmanager
def picture_progress(description: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Yields a function of (pictures done, all of them); everything goes to standard error."""
    if quiet or sys.stderr.isatty():
        with counted_progress(description, quiet) as progress:
            yield progress
        return
    last = time.monotonic()

    def line(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            say(f"{description}: {done:,}" + (f" of {total:,}" if total is not None else ""))

    yield line
