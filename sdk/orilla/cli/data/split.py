"""`orilla data split`: which pictures train, which choose and which judge, in a file that can be used again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json, print_table, say
from orilla.cli.warnings import warnings_shown

if TYPE_CHECKING:
    from orilla.data.split import Split
    from orilla_runtime.labelled import LabelledImages


@click.command()
@click.argument("data", type=click.Path())
@click.option("--output", "-o", required=True, type=click.Path(), help="The CSV to write, with path and split.")
@click.option(
    "--group",
    help="Pictures that belong together: a column of the table, or a regular expression on the path, whose first "
    "brackets name the group. No group then stands on two sides. A column `group` is taken unasked.",
)
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share that chooses the best epoch.")
@click.option("--test", type=float, default=0.2, show_default=True, help="Share that judges the model, once.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which pictures go where.")
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON on standard output.")
def command(
    data: str, output: str, group: str | None, validation: float, test: float, seed: int, as_json: bool
) -> None:
    """Split DATA by class into train, validation and test, and write it down.

    DATA is what `orilla train` takes. A column `split` in its table is an official split and is kept; what it lacks of
    validation and test is taken from its train.
    """
    from orilla.data.grouping import grouping_for
    from orilla.data.opening import open_data
    from orilla.data.split import COLUMN, split_images

    with warnings_shown():
        images = open_data(data)
    grouping = grouping_for(images, group)
    split, _ = split_images(images, seed, validation=validation, test=test, group=group)
    split.write(output)
    counts = _counts(images, split)
    if as_json:
        groups = None if grouping is None else grouping.count()
        print_json({"split": str(output), "digest": split.digest(), "groups": groups, "classes": counts})
        return
    _print(counts)
    if COLUMN in images.columns:
        say(f"The split is that of the column `{COLUMN}`.")
    if grouping is not None:
        say(f"{grouping.count():,} groups, none of them in two parts.")
    click.echo(f"\n{output}: the split of {len(images):,} pictures")


def _counts(images: LabelledImages, split: Split) -> dict[str, dict[str, int]]:
    """How many pictures of each class stand in each part, in the order of the classes."""
    label_of = {path.as_posix(): images.label(place) or "" for place, path in enumerate(images.paths)}
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    found = {part: Counter(label_of[path] for path in paths) for part, paths in parts.items()}
    assert images.class_ids is not None
    labels = {class_id: images.label(place) or "" for place, class_id in enumerate(images.class_ids.tolist())}
    return {labels[class_id]: {part: found[part][labels[class_id]] for part in parts} for class_id in sorted(labels)}


def _print(counts: dict[str, dict[str, int]]) -> None:
    columns = ("train", "validation", "test")
    rows: list[Any] = [(label, *(f"{part[name]:,}" for name in columns)) for label, part in counts.items()]
    sums = (f"{sum(part[name] for part in counts.values()):,}" for name in columns)
    print_table(("class", *columns), [*rows, ("all", *sums)], numeric=columns)
