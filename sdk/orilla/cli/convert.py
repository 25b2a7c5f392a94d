"""`orilla convert`: from a Keras model to a bundle of artifacts that were proved against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import percent, print_json, print_table, size
from orilla.cli.conversion_display import conversion_display

if TYPE_CHECKING:
    from orilla_converters.results import ArtifactResult, ConversionResult


def _names(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


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
@click.option("--max-drop", type=float, default=0.01, show_default=True, help="Top-1 lost at most: 0.01 is one point.")
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
@click.option("--unsafe", is_flag=True, help="Run the code that the model's file holds (Lambda layers).")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which pictures calibrate and judge.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Conversions side by side.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
def command(model: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Convert MODEL and prove every artifact against Keras.

    MODEL is a .keras or .h5 file, the folder of a SavedModel, or efficientnet_lite0.

    Where an artifact is worse than its gate allows, the command says which, by how much and in which layer it goes
    wrong, exits 3 and writes no bundle; every layer's figures lie beside it in NAME.diagnosis.json.
    """
    from orilla.converting import convert

    with conversion_display(quiet) as progress:
        result = convert(model, progress=progress, **options)
    if as_json:
        print_json(_as_json(result))
    else:
        _print(result)


def _print(result: ConversionResult) -> None:
    columns = ("artifact", "bytes", "top-1", "95 % interval", "Keras", "agreement", "SQNR dB", "verdict")
    print_table(
        columns,
        [_row(artifact) for artifact in result.artifacts],
        numeric=("bytes", "top-1", "Keras", "agreement", "SQNR dB"),
    )
    n = result.artifacts[0].metrics.n
    click.echo(f"\n{result.path}: {len(result.artifacts)} artifacts, judged on {n} pictures. id {result.bundle_id}")


def _row(artifact: ArtifactResult) -> tuple[str, ...]:
    metrics = artifact.metrics
    accuracy, keras = metrics.accuracy, metrics.keras_accuracy
    return (
        artifact.path,
        size(artifact.bytes),
        "–" if accuracy is None else percent(accuracy.top1),
        "–" if accuracy is None else f"{percent(accuracy.low)} – {percent(accuracy.high)}",
        "–" if keras is None else percent(keras.top1),
        percent(metrics.agreement),
        "exact" if metrics.sqnr_db is None else f"{metrics.sqnr_db:.1f}",
        "repaired" if artifact.repairs else "passed",
    )


def _as_json(result: ConversionResult) -> dict[str, Any]:
    return {
        "bundle": str(result.path),
        "id": result.bundle_id,
        "calibrated_on": result.calibrated_on,
        "artifacts": [_artifact_json(artifact) for artifact in result.artifacts],
    }


def _artifact_json(artifact: ArtifactResult) -> dict[str, Any]:
    metrics = artifact.metrics
    accuracy, keras = metrics.accuracy, metrics.keras_accuracy
    return {
        "artifact": artifact.path,
        "format": artifact.format,
        "precision": artifact.precision,
        "bytes": artifact.bytes,
        "n": metrics.n,
        "top1": None if accuracy is None else accuracy.top1,
        "top1_low": None if accuracy is None else accuracy.low,
        "top1_high": None if accuracy is None else accuracy.high,
        "keras_top1": None if keras is None else keras.top1,
        "agreement": metrics.agreement,
        "sqnr_db": metrics.sqnr_db,
        "max_abs_error": metrics.max_abs_error,
        "repairs": list(artifact.repairs),
    }
