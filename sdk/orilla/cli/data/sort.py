"""`orilla data sort`: pictures into a folder a class, by a table or by a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from orilla.cli.console import print_json, print_table, say
from orilla.cli.data.progress import picture_progress
from orilla.cli.warnings import warnings_shown
from orilla_runtime.errors import UsageError
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla.data.sorting.filing import How


@click.command("sort")
@click.argument("photos", type=click.Path())
@click.option(
    "--labels",
    type=click.Path(),
    metavar="CSV",
    help="Which picture is what. With --model: class names of a bare model, one a line.",
)
@click.option("--model", type=click.Path(), help="Sort by what this bundle sees.")
@click.option("--into", required=True, type=click.Path(), metavar="DIR", help="The folder for the class folders.")
@click.option("--threshold", type=float, help="With --model: a lower score is unsure. Default: 0.8")
@click.option("--link", "how", flag_value="link", help="Second names of the same files (hard links), without copying.")
@click.option("--move", "how", flag_value="move", help="Move the files.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="What was sorted as JSON on standard output.")
def command(
    photos: str,
    labels: str | None,
    model: str | None,
    into: str,
    threshold: float | None,
    how: How | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Copy the pictures of the folder PHOTOS into a subfolder of DIR for each class.

    With --labels: as a CSV says, whose columns are path (or file, filename, image, name, id) and label (or class,
    category, breed, species). It may name pictures by their last part, with or without the suffix. Pictures without
    a line stay.

    With --model: as a bundle sees them, those without a clear class into DIR/unsure; DIR/predictions.csv has path,
    label, score and margin of each. The exit code is 1 where pictures could not be read.

    Nothing is overwritten: a name that is taken gets -2. Every file is there whole or not at all, and the same command
    again goes on where an interrupted one was.
    """
    if model is None and labels is None:
        raise UsageError("How to sort is not said.", "Add --labels CSV or --model BUNDLE.")
    if model is None and threshold is not None:
        raise UsageError("--threshold is for --model: a table is sure of its labels.", "Leave it out, or add --model.")
    if model is not None:
        return _by_model(photos, model, labels, into, threshold, how or "copy", quiet=quiet, as_json=as_json)
    return _by_labels(photos, str(labels), into, how or "copy", quiet=quiet, as_json=as_json)


def _by_labels(photos: str, labels: str, into: str, how: How, *, quiet: bool, as_json: bool) -> int:
    from orilla.data.checking.findings import pictures
    from orilla.data.sorting.sort import sort_by_labels

    with picture_progress("sort", quiet) as progress:
        done = sort_by_labels(photos, labels, into, how=how, progress=progress)
    if as_json:
        print_json({"into": str(done.into), "folders": dict(done.folders), "left": done.left})
    else:
        _show(done.folders)
        if done.left and not quiet:
            say(f"{pictures(done.left)} of {photos} without a label in {labels} stayed.")
    return 0


def _by_model(
    photos: str,
    model: str,
    labels: str | None,
    into: str,
    threshold: float | None,
    how: How,
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    from orilla.data.checking.findings import pictures
    from orilla.data.sorting.model_sort import THRESHOLD, sort_by_model

    limit = THRESHOLD if threshold is None else threshold
    with picture_progress("sort", quiet) as progress, warnings_shown():
        done = sort_by_model(
            photos, model, into, threshold=limit, how=how, progress=progress, **({"labels": labels} if labels else {})
        )
    if as_json:
        folders, unreadable = dict(done.folders), list(done.unreadable)
        told = {"into": str(done.into), "table": str(done.table), "folders": folders, "unreadable": unreadable}
        print_json(told)
    else:
        _show(done.folders)
        click.echo(f"\n{printable(str(done.table))}: every picture with its label, score and margin")
    if done.unreadable:
        say(f"{pictures(len(done.unreadable))} that could not be read stayed.")
    return 1 if done.unreadable else 0


def _show(folders: Mapping[str, int]) -> None:
    rows = [(folder, f"{number:,}") for folder, number in folders.items()]
    print_table(("folder", "pictures"), rows, numeric=("pictures",))
