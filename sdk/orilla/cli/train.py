"""`orilla train`: from a folder of labelled pictures to a Keras model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json
from orilla.cli.training_display import training_display

if TYPE_CHECKING:
    from orilla.training import TrainResult


@click.command()
@click.argument("data", type=click.Path())
@click.option("--output", "-o", required=True, type=click.Path(), help="The model to write, NAME.keras.")
@click.option(
    "--model", default="small", show_default=True, help="small, or efficientnet_lite0 (transfer, for photos)."
)
@click.option("--epochs", type=int, help="At most so many; of fine-tuning for a transferred model (0: its head alone).")
@click.option("--image-size", type=int, help="Side of the model's input in pixels.")
@click.option("--channels", type=click.Choice(["rgb", "grey"]), help="Default: grey where no picture has a colour.")
@click.option(
    "--fit",
    type=click.Choice(["stretch", "crop", "letterbox"]),
    help="How a picture becomes square. Default: crop for transfer, stretch from scratch.",
)
@click.option("--batch-size", type=int, help="Pictures in one step.")
@click.option("--learning-rate", type=float, help="The highest rate of the schedule.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the split and the weights.")
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share that chooses the best epoch.")
@click.option("--test", type=float, default=0.2, show_default=True, help="Share that judges the model, once.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(data: str, output: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Train a classifier on DATA, a folder with a subfolder a class or a CSV with path and label or class_id.

    The model's file carries its classes, its split and how a picture goes in, so that it can be converted and repeated.
    """
    from orilla.training import train

    with training_display(quiet) as progress:
        result = train(data, output=output, progress=progress, **options)
    if as_json:
        print_json(_as_json(result))
    else:
        click.echo(f"{result.path}: {result.summary}")


def _as_json(result: TrainResult) -> dict[str, Any]:
    preprocess = result.card.preprocess
    record = result.card.training
    return {
        "model": str(result.path),
        "labels": list(result.card.labels),
        "image_size": preprocess.size[0],
        "channels": preprocess.channels,
        "n": result.test.n,
        "top1": result.test.top1,
        "top1_low": result.test.low,
        "top1_high": result.test.high,
        "pictures": {part: len(paths) for part, paths in record["split"].items()},
        "split_digest": record["split_digest"],
        "data_digest": record["data_digest"],
        "best": asdict(result.best),
        "history": [asdict(epoch) for epoch in result.history],
        "seconds": result.seconds,
        "notes": list(result.notes),
    }
