"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=not is_unicode, allow_nan=False, indent=2)
    # A file name that is no UTF-8 holds lone surrogates; written so, they are JSON's own escapes.
    click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[str] = (), *, gap: int = 3
) -> None:
    """A table on standard output, as wide as it needs to be: a pipe must not cut columns. `gap`: between columns."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, gap - 2, 0, 1))
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(escaped(cell) for cell in row))
    needed = sum(_widths(columns, rows)) + 3 * len(columns)
    Console(highlight=False, width=max(Console().width, needed)).print(table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(text) for text in texts) for texts in zip(columns, *rows, strict=True)]


def escaped(text: str) -> str:
    """Text that rich shows as it is: names may hold brackets."""
    from rich.markup import escape

    return escape(text)


def say(line: str) -> None:
    """A plain line on standard error. Where nobody takes it (a full disk, a pipe without a reader) the work goes on."""
    try:
        click.echo(line, err=True)
    except BrokenPipeError:
        # Python would try once more at the end, and turn the exit code into an error.
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    except OSError:
        return


@contextmanager
def counted_progress(description: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on standard error, on a terminal only; yields a function of (done, total or None)."""
    if quiet or not sys.stderr.isatty():
        # What draws it takes as long to import as OpenCV, and a camera's first result would wait for it.
        yield lambda done, total: None  # noqa: ARG005 - the bar's own form
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def percent(fraction: float) -> str:
    """`0.9912` as `99.1 %`."""
    return f"{fraction * 100:.1f} %"


def size(count: int) -> str:
    """A number of bytes with thousands apart."""
    return f"{count:,}"
