"""`orilla tune`: from labelled pictures to the recipe that suits them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json, say
from orilla.cli.stopping import stopped_by_signals
from orilla.cli.tuning_display import tuning_display

if TYPE_CHECKING:
    from orilla.tuning import TuneResult


@click.command()
@click.argument("data", type=click.Path())
@click.option("--output", "-o", required=True, type=click.Path(), help="The folder of the study; it is made.")
@click.option("--trials", type=int, default=30, show_default=True, help="Of the study as a whole, over all its runs.")
@click.option("--model", "models", multiple=True, default=("small",), show_default=True, help="May be repeated.")
@click.option(
    "--search",
    multiple=True,
    metavar="NAME=VALUES",
    help="learning_rate=0.0001..0.01:log, batch_size=16|64, or one value for all: optimizer=adamw. May be repeated.",
)
@click.option("--epochs", type=int, help="Of each trial, at most.")
@click.option("--image-size", type=int, help="Side of the model's input in pixels, in place of searching it.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the split, the weights and the search.")
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share that the search goes by.")
@click.option("--test", type=float, default=0.2, show_default=True, help="Share that judges the best, in the end.")
@click.option("--split", type=click.Path(), help="A CSV of path and split in their place.")
@click.option("--group", metavar="COLUMN|PATTERN", help="Keeps pictures of one thing in one part; see `orilla train`.")
@click.option("--timeout", type=float, metavar="MINUTES", help="Begin no trial after so many minutes.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trials side by side.")
@click.option("--storage", metavar="URL", help="A database for the trials, in place of a journal in the folder.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(data: str, quiet: bool, as_json: bool, **options: Any) -> int:
    """Search the recipe (learning rate, batch size, augmentation, …) whose model is best on pictures held back of DATA.

    The first trial is the model's own recipe, so the best is never worse. The same command again goes on where the last
    one ended, even by a kill; two at once, on machines that share the folder, share the work.
    """
    from orilla.tuning import tune
    from orilla.tuning.result import as_json as plain

    stop = threading.Event()

    def stopping() -> None:
        stop.set()
        say("stopping after this epoch; Ctrl-C again stops at once")

    with stopped_by_signals(stopping), tuning_display(quiet) as progress:
        result = tune(data, stop=stop.is_set, progress=progress, **options)
    if as_json:
        print_json(plain(result))
    else:
        _show(result)
    if result.best is None or not result.finished:
        say("The same command goes on with the trials that are left.")
    return 1 if stop.is_set() else 0


def _show(result: TuneResult) -> None:
    click.echo(f"{result.folder}: {result.summary}")
    if result.command:
        click.echo(result.command)
