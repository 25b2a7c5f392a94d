"""`orilla evaluate`: how good a model is on labelled pictures, in a table, as JSON or as a page."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import counted_progress, print_json, say
from orilla.cli.judgement_options import criteria_of, judgement_options
from orilla.cli.model_options import model_options
from orilla_runtime.errors import SinkError, UsageError

if TYPE_CHECKING:
    from orilla.evaluation.evaluate import Evaluation


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--artifact", help="Only this artifact of the bundle.")
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="Of the recorded split. Default: test, on the very data that the model was trained on; else all.",
)
@click.option("--slice", "slices", multiple=True, metavar="COLUMN|folder", help="Also by this column, or by subfolder.")
@judgement_options
@click.option("--report", type=click.Path(), help="Write a page, PAGE.html, and its plots as PNG into PAGE/.")
@click.option("--gradcam", type=click.IntRange(0, 64), default=8, show_default=True, help="Keras: so many on the page.")
@click.option("--card", "card_text", type=click.Path(), help="A text file: what the model is for, for the page.")
@click.option("--predictions", type=click.Path(), help="Write a CSV: one row a picture with each artifact's top class.")
@model_options
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="One object per artifact on standard output.")
@click.option("--details", is_flag=True, help="With --json: the whole judgement in each object.")
def command(
    model: str,
    data: str,
    artifact: str | None,
    part: str | None,
    slices: tuple[str, ...],
    report: str | None,
    gradcam: int,
    card_text: str | None,
    predictions: str | None,
    quiet: bool,
    as_json: bool,
    details: bool,
    **options: Any,
) -> int:
    """Judge MODEL on DATA: a folder with a subfolder a class, a CSV or JSONL with path and label, an .npz, a named set.

    MODEL is a bundle, a .tflite, an .onnx or a .keras file. Bundles and bare models need no TensorFlow. Agreement is
    the share of pictures with the same top class as the bundle's float32 artifact, which was proved against Keras.
    """
    from orilla.evaluation.evaluate import evaluate

    if card_text is not None and report is None:
        raise UsageError("--card is for the page.", "Give --report PAGE.html too.")
    if details and not as_json:
        raise UsageError("--details is for --json.", "Give --json too; a page is written by --report.")
    criteria = criteria_of(options)
    page = _page(report, card_text, data)
    if predictions:
        _check_table(Path(predictions))
    with counted_progress("evaluating", quiet) as progress:
        result = evaluate(
            model, data, artifact=artifact, part=part, slices=slices, criteria=criteria, progress=progress, **options
        )
    _say(result)
    if predictions:
        _write_predictions(Path(predictions), result)
    if page:
        from orilla.evaluation.report.page import write_report

        write_report(page[0], model, data, result, intended_use=page[1], gradcam=gradcam)
    if as_json:
        from orilla.cli.judgement_json import json_of

        print_json([json_of(entry, result, details=details) for entry in result.artifacts])
    else:
        from orilla.cli.judgement_table import print_evaluation

        print_evaluation(result)
        if page:
            click.echo(f"\nreport: {page[0]}")
    if result.failed:
        say(f"{len(result.failed)} of {len(result.failed) + len(result.paths)} pictures could not be read.")
    return 1 if result.failed else 0


def _say(result: Evaluation) -> None:
    for name, reason in result.skipped:
        say(f"skipped {name}: {reason}")
    for _, reason in result.failed:
        say(reason)
    if result.note:
        say(f"note: {result.note}")


def _page(report: str | None, card_text: str | None, data: str) -> tuple[Path, str] | None:
    """Where the page goes and what the model is for; all of it is checked before the work."""
    if report is None:
        return None
    from orilla.data.apart import check_apart
    from orilla.evaluation.report.page import check_page, read_intended_use

    check_apart(Path(report).with_suffix(""), data)
    return check_page(report), "" if card_text is None else read_intended_use(card_text)


def _check_table(path: Path) -> None:
    """A place that cannot take the table is found before the work, not after."""
    if not path.parent.is_dir():
        raise SinkError(f"{path}: there is no folder {path.parent}.", "Make the folder first.")
    if path.is_dir():
        raise SinkError(f"{path} is a folder.", "Give the name of a file.")


def _write_predictions(path: Path, result: Evaluation) -> None:
    from orilla_runtime.files import replaced

    # A file name that is no UTF-8 is written as it is.
    with replaced(path) as part, part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "truth", *(entry.artifact for entry in result.artifacts)])
        for index, name in enumerate(result.paths):
            found = (entry.predicted[index] for entry in result.artifacts)
            rows.writerow([name, result.truth[index], *found])
