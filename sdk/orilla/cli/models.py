"""`orilla models`: what can be trained, what it costs, and how it takes int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import percent, print_json, print_table

if TYPE_CHECKING:
    from orilla.models.entry import ModelEntry
    from orilla.models.measured import Measured

NONE = "–"
COLUMNS = (
    "model",
    "parameters",
    "MACs",
    "input",
    "trained",
    "int8 bytes",
    "int8 time",
    "int8 agrees",
    "SQNR",
    "weights",
)
NUMERIC = ("parameters", "MACs", "int8 bytes", "int8 time", "int8 agrees", "SQNR")
NOTES = (
    "parameters and MACs (multiplications with additions, of one picture) at this input.",
    "int8 bytes, int8 time: of the TFLite file, as a share of float32's, measured on one machine.",
    "int8 agrees: pictures on which the int8 file and Keras name the same class. SQNR: of the logits, in dB.",
    "–: not measured; without trained weights int8 is not judged. --json names the pictures, and has all figures.",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="All figures and recipes as JSON on standard output.")
@click.option("--markdown", is_flag=True, help="The table in Markdown.")
def command(as_json: bool, markdown: bool) -> None:
    """Show the models that `orilla train --model NAME` knows."""
    from orilla.models.measured import measured
    from orilla.models.zoo import MODELS

    figures = measured()
    if as_json:
        print_json({"models": [_as_json(entry, figures.get(name)) for name, entry in MODELS.items()]})
        return
    rows = [_row(entry, figures.get(name)) for name, entry in MODELS.items()]
    if markdown:
        click.echo("\n".join(_markdown(rows)))
        return
    print_table(COLUMNS[:-1], [row[:-1] for row in rows], numeric=NUMERIC, gap=2)
    click.echo()
    for name, entry in MODELS.items():
        click.echo(f"{name}: {entry.description}" + (f"; weights: {_weights(entry)}" if entry.weights else ""))
    click.echo("\n" + "\n".join(NOTES))


def _row(entry: ModelEntry, figures: Measured | None) -> tuple[str, ...]:
    trained = "transfer" if entry.transfer else "from scratch"
    weights = _weights(entry)
    if figures is None:
        return (entry.name, NONE, NONE, f"{entry.image_size} {entry.channels[0]}", trained, *[NONE] * 4, weights)
    return (
        entry.name,
        short(figures.parameters),
        short(figures.macs),
        f"{figures.image_size} {figures.channels}",
        trained,
        NONE if figures.size_ratio is None else f"{figures.size_ratio:.2f}x",
        NONE if figures.time_ratio is None else f"{figures.time_ratio:.2f}x",
        NONE if figures.agreement is None else percent(figures.agreement),
        NONE if figures.sqnr_db is None else f"{figures.sqnr_db:.1f}",
        weights,
    )


def _weights(entry: ModelEntry) -> str:
    return f"{entry.weights.source}, {entry.weights.licence}" if entry.weights else NONE


def short(count: int) -> str:
    """A number in three digits: 37,706 is `37.7 k`, 5,700,000,000 `5.7 G`."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}" if count < 999.5 * unit else f"{count / unit:.0f}{name}"
    return str(count)


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    rules = ["---:" if column in NUMERIC else "---" for column in COLUMNS]
    return [f"| {' | '.join(cells)} |" for cells in (COLUMNS, rules, *rows)]


def _as_json(entry: ModelEntry, figures: Measured | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.description,
        "trained": "transfer" if entry.transfer else "scratch",
        "image_size": entry.image_size,
        "smallest": entry.smallest,
        "largest": entry.largest,
        "channels": list(entry.channels),
        "fit": entry.fit,
        "weights": None if entry.weights is None else asdict(entry.weights),
        "recipe": asdict(entry.recipe),
        "measured": None if figures is None else asdict(figures),
    }
