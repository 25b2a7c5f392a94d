"""`orilla evaluate`: how often a model is right on labelled pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import counted_progress, percent, print_json, print_table, say
from orilla.cli.model_options import model_options

if TYPE_CHECKING:
    from orilla.evaluation.evaluate import ArtifactEvaluation, Evaluation


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--artifact", help="Only this artifact of the bundle.")
@click.option("--predictions", type=click.Path(), help="Write a CSV: one row a picture with each artifact's top class.")
@model_options
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="One object per artifact on standard output.")
def command(
    model: str, data: str, artifact: str | None, predictions: str | None, quiet: bool, as_json: bool, **options: Any
) -> int:
    """Judge MODEL on DATA, a folder with a subfolder a class or a CSV with path and label or class_id.

    MODEL is a bundle, a .tflite, an .onnx or a .keras file. Bundles and bare models need no TensorFlow. Agreement is
    the share of pictures with the same top class as the bundle's float32 artifact, which was proved against Keras.
    """
    from orilla.evaluation.evaluate import evaluate

    with counted_progress("evaluating", quiet) as progress:
        result = evaluate(model, data, artifact=artifact, progress=progress, **options)
    for name, reason in result.skipped:
        say(f"skipped {name}: {reason}")
    for _, reason in result.failed:
        say(reason)
    if predictions:
        _write_predictions(Path(predictions), result)
    if as_json:
        print_json([_as_json(entry, result) for entry in result.artifacts])
    else:
        _print(result)
    if result.failed:
        say(f"{len(result.failed)} of {len(result.failed) + len(result.paths)} pictures could not be read.")
    return 1 if result.failed else 0


def _as_json(entry: ArtifactEvaluation, result: Evaluation) -> dict[str, Any]:
    accuracy = entry.accuracy
    return {
        "artifact": entry.artifact,
        "format": entry.format,
        "precision": entry.precision,
        "n": accuracy.n,
        "top1": accuracy.top1,
        "top1_low": accuracy.low,
        "top1_high": accuracy.high,
        "agreement": entry.agreement,
        "failed": len(result.failed),
    }


def _print(result: Evaluation) -> None:
    columns = ("artifact", "n", "top-1", "95 % interval", "agreement")
    rows = [
        (
            entry.artifact,
            str(entry.accuracy.n),
            percent(entry.accuracy.top1),
            f"{percent(entry.accuracy.low)} – {percent(entry.accuracy.high)}",
            "–" if entry.agreement is None else percent(entry.agreement),
        )
        for entry in result.artifacts
    ]
    print_table(columns, rows, numeric=("n", "top-1", "agreement"))


def _write_predictions(path: Path, result: Evaluation) -> None:
    from orilla_runtime.files import replaced

    with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "truth", *(entry.artifact for entry in result.artifacts)])
        for index, name in enumerate(result.paths):
            found = (entry.predicted[index] for entry in result.artifacts)
            rows.writerow([name, result.truth[index], *found])
