"""`orilla recipes`: what each recipe means in weights, activations, inputs and outputs."""

from __future__ import annotations

import click

from orilla.cli.console import print_json, print_table

_IOS = {
    "uint8": "bytes in, float32 out",
    "integer": "bytes in, bytes out",
    "float": "normalized float32 in, float32 out",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The table as JSON on standard output.")
def command(as_json: bool) -> None:
    """Show what can be written, and how it is spelled for `orilla convert --recipe`."""
    from orilla_converters.recipe import BATCHES, DEFAULT_CALIBRATION, MEANINGS

    if as_json:
        rows = [
            {
                "recipe": f"{format_}:{precision}",
                "weights": meaning.weights,
                "activations": meaning.activations,
                "io": list(meaning.ios),
                "note": meaning.note,
            }
            for (format_, precision), meaning in MEANINGS.items()
        ]
        print_json({"recipes": rows, "io": _IOS, "batch": list(BATCHES)})
        return
    print_table(
        ("recipe", "weights", "activations", "io", "note"),
        [
            (f"{format_}:{precision}", meaning.weights, meaning.activations, ", ".join(meaning.ios), meaning.note)
            for (format_, precision), meaning in MEANINGS.items()
        ],
    )
    click.echo("\nknobs, behind a comma:")
    click.echo(f"  calibration=N        pictures that a quantized artifact is calibrated on ({DEFAULT_CALIBRATION})")
    for name, text in _IOS.items():
        click.echo(f"  io={name:<18}{text}" + (" (default)" if name == "uint8" else ""))
    click.echo("  batch=dynamic        any number of pictures at a time (default: 1)")
    click.echo("  float_layers=A+B     of mixed: the Keras layers that stay in float")
    click.echo("\nexample: tflite:int8,calibration=200,io=integer")
