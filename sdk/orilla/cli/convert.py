"""`orilla convert`: from a Keras model to a bundle of artifacts that were proved against it."""

from __future__ import annotations

from math import isfinite
from typing import Any

import click

from orilla.cli.console import print_json
from orilla.cli.conversion_display import conversion_display
from orilla.cli.conversion_table import conversion_as_json, print_conversion


def _names(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _bytes(context: click.Context, parameter: click.Parameter, gibibytes: float | None) -> int | None:
    if gibibytes is not None and not isfinite(gibibytes):
        raise click.BadParameter(f"{gibibytes} is no number of GiB.", context, parameter)
    return None if gibibytes is None else int(gibibytes * 2**30)


@click.command()
@click.argument("model", type=click.Path())
@click.option("--data", required=True, type=click.Path(), help="Pictures that calibrate and judge, with labels or not.")
@click.option("--output", "-o", required=True, type=click.Path(), help="The bundle to write, NAME.orilla.")
@click.option("--format", "formats", default="tflite,onnx", show_default=True, callback=_names, help="Or savedmodel.")
@click.option(
    "--precision",
    "precisions",
    default="",
    show_default="float32,float16,int8; of savedmodel float32",
    callback=_names,
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    metavar="RECIPE",
    help="One artifact, spelled as `orilla recipes` shows; in place of --format and --precision. May be repeated.",
)
@click.option(
    "--io",
    type=click.Choice(["uint8", "integer", "float"]),
    default="uint8",
    show_default=True,
    help="Bytes in and float out; bytes in and out (int8 TFLite); normalized float in and float out.",
)
@click.option("--batch", type=click.Choice(["1", "dynamic"]), default="1", show_default=True, help="Pictures a call.")
@click.option("--calibration", type=int, default=100, show_default=True, help="Pictures that int8 is calibrated on.")
@click.option("--max-drop", type=float, show_default="0.01", help="Top-1 lost at most: 0.01 is one point.")
@click.option(
    "--threshold",
    "thresholds",
    type=float,
    multiple=True,
    help="A score at which your program decides: count the decisions that flip there. May be repeated.",
)
@click.option(
    "--timing/--no-timing",
    default=True,
    show_default=True,
    help="Measure the artifacts against each other. Without it the precision alone decides what is a format's default.",
)
@click.option("--report", type=click.Path(), help="Write all figures as one page, NAME.html, with its plot NAME.png.")
@click.option("--repair", is_flag=True, help="Where an artifact fails, try what helps; the first that passes is taken.")
@click.option(
    "--golden",
    type=click.Choice(["real", "drawn", "none"]),
    default="real",
    show_default=True,
    help="The self-test in the bundle: some of your pictures, drawn ones, or none.",
)
@click.option("--labels", type=click.Path(), help="Models without a card: a text file, one class name a line.")
@click.option("--scale", type=float, help="Models without a card: they take pixel * scale + offset.")
@click.option("--offset", type=float, help="See --scale; raw pixels of 0..255 are --scale 1 --offset 0.")
@click.option("--channels", type=click.Choice(["rgb", "bgr", "grey"]), help="Models without a card: colour order.")
@click.option(
    "--fit", type=click.Choice(["stretch", "crop", "letterbox"]), help="Models without a card: how a picture fits."
)
@click.option("--crop-fraction", type=float, help="Models without a card: share of the centre that --fit crop takes.")
@click.option(
    "--task",
    type=click.Choice(["classification", "raw"]),
    help="raw: outputs that are no scores of classes. By default what the model looks like.",
)
@click.option("--unsafe", is_flag=True, help="Run the code that the model's file holds (Lambda layers).")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which pictures calibrate and judge.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Conversions side by side.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=1800, show_default=True, help="Seconds that one of them may take."
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    callback=_bytes,
    metavar="GIB",
    help="Memory that one of them may hold; by default its share of 85 % of the machine's.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(model: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Convert MODEL and prove every artifact against Keras.

    MODEL is a .keras or .h5 file, the folder of a SavedModel, or efficientnet_lite0. One that is no classifier of one
    picture becomes a raw bundle; where it takes more than one picture, --data is an .npz file with an array an input.

    Where an artifact is worse than its gate allows, the command says which, by how much and in which layer it goes
    wrong, exits 3 and writes no bundle; every layer's figures lie beside it in NAME.diagnosis.json.
    """
    from orilla.converting import convert

    with conversion_display(quiet) as progress:
        result = convert(model, progress=progress, **options)
    if as_json:
        print_json(conversion_as_json(result))
    else:
        print_conversion(result)
