"""`orilla data`: one file a command."""

from __future__ import annotations

import click

from orilla.cli import LazyGroup

COMMANDS: dict[str, str] = {
    "get": "orilla.cli.data.get",
    "check": "orilla.cli.data.check",
    "split": "orilla.cli.data.split",
    "sheet": "orilla.cli.data.sheet",
    "sort": "orilla.cli.data.sort",
}


@click.group("data", cls=LazyGroup, homes=COMMANDS)
def command() -> None:
    """Get, look at, sort and split labelled pictures.

    DATA is a folder with a subfolder a class, a CSV or JSONL with path and label, an .npz with images and labels, or
    the name of a set: mnist, fashion_mnist, cifar10, oxford_iiit_pet, cats_vs_dogs, tf_flowers.
    """
