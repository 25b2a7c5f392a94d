"""`orilla metadata`: labels, normalization and texts into a model file that someone else made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json, say, size
from orilla.cli.model_options import numbers

if TYPE_CHECKING:
    from orilla_converters.annotate import Annotated


def _texts(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE.", context, parameter)
        found[key.strip()] = value.strip()
    return found


@click.command()
@click.argument("model", type=click.Path())
@click.option("--labels", type=click.Path(), help="A text file, one class name a line, one for each output.")
@click.option("--mean", callback=numbers, help="(pixel - mean) / std, one number or one a channel: 127.5")
@click.option("--std", callback=numbers, help="See --mean.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    callback=_texts,
    metavar="KEY=VALUE",
    help="name, description, version, author or license; in an ONNX file any key. May be repeated.",
)
@click.option("--output", "-o", type=click.Path(), help="Where to write; by default in MODEL's place.")
@click.option("--json", "as_json", is_flag=True, help="What was written as JSON on standard output.")
def command(model: str, as_json: bool, **options: Any) -> None:
    """Write labels, normalization and texts into MODEL, a .tflite or an .onnx; its weights are not touched.

    What the file says already stays, but for the keys that are given. An interrupted write leaves the old file.
    """
    from orilla_converters.annotate import annotate

    result = annotate(model, **options)
    if as_json:
        print_json(_as_json(result))
        return
    compared = result.comparison
    click.echo(f"{result.path}: {size(result.bytes)} bytes, sha256 {result.sha256}")
    if compared.inputs:
        click.echo(f"same weights; same outputs, bit for bit, on {compared.inputs} drawn inputs ({compared.engine})")
    else:
        click.echo("same weights")
        say(f"outputs not compared: {compared.reason}")


def _as_json(result: Annotated) -> dict[str, Any]:
    return {
        "path": str(result.path),
        "bytes": result.bytes,
        "sha256": result.sha256,
        "labels": None if result.file.labels is None else list(result.file.labels),
        "compared": {
            "inputs": result.comparison.inputs,
            "engine": result.comparison.engine or None,
            "reason": result.comparison.reason or None,
        },
    }
