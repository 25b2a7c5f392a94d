"""`orilla data sheet`: contact sheets, a page a class."""

from __future__ import annotations

from pathlib import Path

import click

from orilla.cli.console import print_json, say
from orilla.cli.data.progress import picture_progress
from orilla.cli.warnings import warnings_shown
from orilla_runtime.text import printable


@click.command("sheet")
@click.argument("data", type=click.Path())
@click.option("--into", required=True, type=click.Path(), metavar="DIR", help="The folder for the sheets.")
@click.option("--count", type=int, default=48, show_default=True, help="Pictures of a class, at most.")
@click.option("--columns", type=int, default=8, show_default=True, help="Pictures in a row.")
@click.option("--side", type=int, default=128, show_default=True, help="Pixels of a picture on the sheet.")
@click.option("--seed", type=int, help="Draw the pictures at random with it; else they are evenly spread.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The names of the sheets as JSON on standard output.")
def command(
    data: str, into: str, count: int, columns: int, side: int, seed: int | None, quiet: bool, as_json: bool
) -> None:
    """Draw contact sheets of DATA into a folder: overview.png with a row a class, and class-NAME.png for each class.

    Pictures are upright and whole. One that cannot be read has a marked cell; `orilla data check` says why.
    """
    from orilla.data.apart import check_apart
    from orilla.data.checking.findings import pictures
    from orilla.data.opening import open_data
    from orilla.data.sheet import write_sheets

    check_apart(Path(into), data)
    with warnings_shown():
        images = open_data(data, labelled=False)
    with picture_progress("sheets", quiet) as progress:
        sheets = write_sheets(images, Path(into), count=count, columns=columns, side=side, seed=seed, progress=progress)
    if as_json:
        told = {label: str(path) for label, path in sheets.classes.items()}
        unreadable = [str(path) for path in sheets.unreadable]
        print_json({"overview": str(sheets.overview), "classes": told, "unreadable": unreadable})
        return
    for path in (sheets.overview, *sheets.classes.values()):
        click.echo(printable(str(path)))
    if sheets.unreadable and not quiet:
        say(f"{pictures(len(sheets.unreadable))} on them cannot be read; `orilla data check` says why.")
