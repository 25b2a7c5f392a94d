"""`orilla data check`: what stands in the way of a good model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orilla.cli.console import percent, print_json, print_table
from orilla.cli.data.progress import picture_progress
from orilla.cli.warnings import warnings_shown

if TYPE_CHECKING:
    from orilla.data.checking.checks import DataCheck
    from orilla.data.checking.findings import Finding, Severity
    from orilla.data.split import Split
    from orilla_runtime.labelled import LabelledImages

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_CLASSES = 30


@click.command("check")
@click.argument("data", type=click.Path())
@click.option("--split", type=click.Path(), help="A CSV with path and split: copies on two sides of it are errors.")
@click.option("--image-size", type=int, help="Side of the model's input: pictures much smaller than it are told.")
@click.option(
    "--alike",
    type=float,
    default=0.99,
    show_default=True,
    help="How alike two pictures must be to be told, 0.5 to 1; at 0.95 also shots of one part in another light.",
)
@click.option(
    "--groups",
    type=click.Path(),
    metavar="FILE.csv",
    help="Write path, label and group: look-alikes in one group, to split by.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="All of it, with every path, as JSON on standard output.")
def command(
    data: str, split: str | None, image_size: int | None, alike: float, groups: str | None, quiet: bool, as_json: bool
) -> int:
    """Look at every picture of DATA once, and say what is wrong with them and what to do about it.

    Unreadable, blank, tiny and odd files; copies and look-alikes, under two labels or on two sides of a split; classes
    with few pictures or two names. Nothing is changed. A `split` column of a table is taken for the split.

    Exit codes: 0 nothing, notes or warnings; 3 a finding is an error: training refuses it, or its figures would be
    wrong; 1 and 2 DATA or an option is not in order.
    """
    from orilla.data.checking.checks import check_data
    from orilla.data.checking.grouped_table import check_groups_file, write_groups
    from orilla.data.opening import open_data

    if groups:
        check_groups_file(Path(groups))
    with warnings_shown():
        images = open_data(data, labelled=False)
    parts = _split(images, split)
    with picture_progress("check", quiet) as progress:
        found = check_data(images, parts, image_size=image_size, alike=alike, progress=progress)
    if groups:
        write_groups(Path(groups), images, found.alike_groups)
    if as_json:
        print_json(found.as_object())
    else:
        _show(found)
    return 0 if found.ok else 3


def _split(images: LabelledImages, file: str | None) -> Split | None:
    """The split that a file says, else that of the table's own column."""
    from orilla.data.split import COLUMN, Split, split_images

    if file is not None:
        return Split.read(file, images)
    if COLUMN in images.columns and images.class_ids is not None:
        return split_images(images, seed=0, validation=0.0, test=0.0)[0]
    return None


def _show(found: DataCheck) -> None:
    if found.classes:
        rows = [(each.label, f"{each.pictures:,}", percent(each.share)) for each in found.classes[:_CLASSES]]
        print_table(("class", "pictures", "share"), rows, numeric=("pictures", "share"))
        if len(found.classes) > _CLASSES:
            click.echo(f"… and {len(found.classes) - _CLASSES:,} more classes")
        click.echo()
    click.echo(f"{found.readable:,} of {found.pictures:,} pictures can be read{_formats(found)}")
    if found.sizes:
        for name, (least, median, most) in (("width", found.sizes.width), ("height", found.sizes.height)):
            click.echo(f"{name:<7}{least:,} to {most:,} pixels, median {median:,}")
    click.echo()
    for finding in found.findings:
        _show_finding(finding)
    click.echo(_sum(found))


def _formats(found: DataCheck) -> str:
    named = ", ".join(f"{kind} {number:,}" for kind, number in found.formats.items())
    return f": {named}" if named else ""


def _show_finding(finding: Finding) -> None:
    from orilla_runtime.text import printable

    label = click.style(f"{finding.severity}:", fg=_COLOURS[finding.severity])
    click.echo(f"{label} {finding.code}: {printable(finding.text)}")
    for line in finding.examples():
        click.echo(f"    {line}")


def _sum(found: DataCheck) -> str:
    if not found.findings:
        return "nothing found"
    names: tuple[Severity, ...] = ("error", "warning", "note")
    counted = ((name, len(found.of(name))) for name in names)
    return ", ".join(f"{number} {name if number == 1 else name + 's'}" for name, number in counted if number)
