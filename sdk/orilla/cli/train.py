"""`orilla train`: from a folder of labelled pictures to a Keras model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json
from orilla.cli.option_groups import GroupedCommand, grouped
from orilla.cli.training_display import training_display

if TYPE_CHECKING:
    from orilla.training import TrainResult

_DATA = grouped(
    "Pictures",
    click.option("--image-size", type=int, help="Side of the model's input in pixels."),
    click.option("--channels", type=click.Choice(["rgb", "grey"]), help="Default: grey where no picture has a colour."),
    click.option(
        "--fit",
        type=click.Choice(["stretch", "crop", "letterbox"]),
        help="How a picture becomes square. Default: crop for transfer, stretch from scratch.",
    ),
    click.option(
        "--augmentation",
        metavar="LIST",
        help="How pictures are changed in each epoch: none, or some of flip, shift=0.1, rotation=10, zoom=0.2, "
        "brightness=0.1, contrast=0.2, erase=0.2, with commas between. augmented.png shows it.",
    ),
    click.option(
        "--class-weights",
        type=click.Choice(["none", "balanced"]),
        help="balanced: rare classes count as much as others.",
    ),
)
_SPLIT = grouped(
    "Split",
    click.option("--validation", type=float, default=0.1, show_default=True, help="Share that chooses the best epoch."),
    click.option("--test", type=float, default=0.2, show_default=True, help="Share that judges the model, once."),
    click.option(
        "--split", type=click.Path(), help="A CSV of path and split in their place, such as NAME.training/split.csv."
    ),
    click.option(
        "--group",
        metavar="COLUMN|PATTERN",
        help="Keeps pictures of one thing in one part: a column, or what a regular expression captures of the path.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Decides the split and the weights."),
)
_LEARNING = grouped(
    "Learning (what is not given is the model's own recipe: docs/training.md)",
    click.option("--epochs", type=int, help="At most so many; of fine-tuning for a transfer (0: its head alone)."),
    click.option("--patience", type=int, help="Epochs without a better validation before training stops."),
    click.option("--batch-size", type=int, help="Pictures in one step."),
    click.option("--optimizer", type=click.Choice(["adam", "adamw", "sgd"])),
    click.option("--learning-rate", type=float, help="The highest rate of the schedule."),
    click.option("--schedule", type=click.Choice(["cosine", "constant", "exponential", "step", "plateau"])),
    click.option("--warm-up", type=float, help="Share of the steps in which the rate rises."),
    click.option("--weight-decay", type=float, help="With adamw and sgd."),
    click.option("--label-smoothing", type=float, help="Share of the truth that is spread over all classes."),
    click.option("--dropout", type=float, help="Share of the features left out in a step."),
    click.option("--head-epochs", type=int, help="Of a transfer's new head."),
    click.option("--head-learning-rate", type=float, help="Of a transfer's new head."),
    click.option(
        "--precision",
        type=click.Choice(["float32", "mixed_float16", "mixed_bfloat16"]),
        help="Mixed ones are for GPUs.",
    ),
)
_KEEPING = grouped(
    "Keeping",
    click.option("--resume", is_flag=True, help="Go on where a killed training of the same data and options stood."),
    click.option(
        "--checkpoint-seconds",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        help="The checkpoint is renewed after each epoch, and after so long within one.",
    ),
    click.option(
        "--record/--no-record",
        default=True,
        show_default=True,
        help="Make NAME.training beside the model: history, logs, augmented.png, checkpoint.",
    ),
    click.option(
        "--cache-gib",
        type=click.FloatRange(min=0),
        default=2.0,
        show_default=True,
        help="Disk that resized pictures may take among scratch files (TMPDIR); others are read again in each epoch.",
    ),
)


@click.command(cls=GroupedCommand)
@click.argument("data", type=click.Path())
@grouped(
    "Model",
    click.option("--output", "-o", required=True, type=click.Path(), help="The model to write, NAME.keras."),
    click.option(
        "--model", default="small", show_default=True, help="From scratch, or by transfer: see orilla models."
    ),
    click.option(
        "--weights",
        help="What a transfer starts from: imagenet (default), random, or a .h5, .weights.h5 or .keras file.",
    ),
)
@_DATA
@_SPLIT
@_LEARNING
@_KEEPING
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(data: str, output: str, cache_gib: float, quiet: bool, as_json: bool, **options: Any) -> None:
    """Train a classifier on DATA.

    DATA is a folder with a subfolder a class, a CSV or JSONL with path and label or class_id, an .npz with images and
    labels, or the name of a set, such as mnist.

    The model's file carries its classes, its split and how a picture goes in, so that it can be converted and repeated.
    """
    from orilla.training import train

    with training_display(quiet) as progress:
        result = train(data, output=output, cache_bytes=int(cache_gib * 2**30), progress=progress, **options)
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
        "temperature": record["temperature"],
        "best": asdict(result.best),
        "history": [asdict(epoch) for epoch in result.history],
        "seconds": result.seconds,
        "notes": list(result.notes),
    }
