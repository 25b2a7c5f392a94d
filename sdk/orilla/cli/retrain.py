"""`orilla retrain`: from new pictures and the model that is there to the next model and its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import percent, print_json, print_table, say
from orilla.cli.conversion_display import conversion_display
from orilla.cli.training_display import training_display

if TYPE_CHECKING:
    from orilla.retraining import RetrainResult


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--base", required=True, type=click.Path(), help="The pictures that MODEL was trained on.")
@click.option("--output", "-o", required=True, type=click.Path(), help="The next model, NEXT.keras.")
@click.option("--bundle", type=click.Path(), help="The deployed bundle; its successor is written as NEXT.orilla.")
@click.option(
    "--max-drop", type=float, default=0.01, show_default=True, help="How much lower the share of right may be, 0 to 1."
)
@click.option("--epochs", type=int, help="In place of the recorded recipe's.")
@click.option("--learning-rate", type=float, help="In place of the recorded recipe's.")
@click.option("--resume", is_flag=True, help="Go on with a retraining that was killed.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(model: str, data: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Train MODEL on with the new labelled pictures DATA, and write the next model if it is not worse.

    Old pictures keep their part, so the old test pictures stay unseen; old and new model are judged on them and on new
    ones. With --bundle the next bundle is made, proved and compared too. Exit code 3, and nothing written: it is worse.
    """
    from orilla.retraining import retrain

    with training_display(quiet) as progress, conversion_display(quiet) as converting:
        result = retrain(model, data, progress=progress, convert_progress=converting, **options)
    if as_json:
        print_json(_as_json(result))
    else:
        _show(result)


def _as_json(result: RetrainResult) -> dict[str, Any]:
    return {
        "model": str(result.path),
        "data": str(result.data),
        "bundle": None if result.bundle is None else str(result.bundle),
        "labels_added": list(result.labels_added),
        "compared": [one.to_json() for one in result.compared],
        "notes": list(result.notes),
    }


def _show(result: RetrainResult) -> None:
    rows = [
        (
            one.file,
            one.pictures,
            str(one.comparison.n),
            percent(one.old.top1),
            percent(one.new.top1),
            f"{100 * one.comparison.accuracy.low:+.1f} to {100 * one.comparison.accuracy.high:+.1f} points",
        )
        for one in result.compared
    ]
    print_table(("file", "pictures", "n", "old", "new", "difference, 95 %"), rows, numeric=("n", "old", "new"))
    for label in result.labels_added:
        say(f"new class: {label}")
    written = [str(path) for path in (result.path, result.bundle, result.data) if path is not None]
    click.echo(f"wrote {', '.join(written)}")
