"""`orilla data get`: one of the sets that everybody knows, as files."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from orilla.cli.console import counted_progress, print_json, say
from orilla.cli.warnings import warnings_shown


@click.command()
@click.argument("name")
@click.option("--into", type=click.Path(), help="A new folder. Default: your cache, where NAME is found from then on.")
@click.option(
    "--from", "source", type=click.Path(), help="The published files, got elsewhere: nothing is downloaded then."
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="What was written as JSON on standard output.")
def command(name: str, into: str | None, source: str | None, quiet: bool, as_json: bool) -> None:
    """Get the set NAME as picture files with a labels.csv, which says the official split too.

    NAME is mnist, fashion_mnist, cifar10, oxford_iiit_pet, cats_vs_dogs or tf_flowers. Where there is no network, get
    the published files elsewhere and give them with --from; docs/data.md names them.
    """
    from orilla.data.sets.named import get_named
    from orilla_runtime.labelled import read_labelled

    with counted_progress(name, quiet) as progress, warnings_shown():
        done = get_named(name, into, source=source, told=lambda count: progress(count, None))
        images = read_labelled(done.labels)
    found: dict[str, Any] = {
        "labels": str(done.labels),
        "pictures": len(images),
        "classes": list(images.classes or ()),
        "split": dict(Counter(images.columns.get("split", ()))),
        "damaged": list(done.damaged),
    }
    if as_json:
        print_json(found)
        return
    parts = ", ".join(f"{part} {count:,}" for part, count in found["split"].items())
    said = f"{len(images):,} pictures of {len(found['classes'])} classes" + (f" ({parts})" if parts else "")
    click.echo(f"{done.labels}: {said}")
    if done.damaged:
        say(f"{len(done.damaged)} damaged pictures were left out, such as {done.damaged[0]}.")
