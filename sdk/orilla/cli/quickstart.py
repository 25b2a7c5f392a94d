"""`orilla quickstart`: the whole way on real handwritten digits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orilla.cli.console import percent, print_json, print_table, say, size
from orilla.cli.conversion_display import conversion_display
from orilla.cli.training_display import training_display

if TYPE_CHECKING:
    from orilla.evaluation.report.quickstart import QuickstartResult


@click.command()
@click.option("--output", type=click.Path(), default="quickstart", show_default=True, help="The folder to work in.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="Only the table.")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON.")
def command(output: str, seed: int, quiet: bool, as_json: bool) -> None:
    """Train, convert, prove and run a classifier of handwritten digits; needs the desk and a few minutes."""
    from orilla.quickstart import quickstart

    # In a pipe the five steps say enough; on a terminal each shows how far it is.
    silent = quiet or not sys.stderr.isatty()
    result = quickstart(
        output,
        seed=seed,
        say=None if quiet else say,
        train_display=lambda: training_display(silent),
        convert_display=lambda: conversion_display(silent),
    )
    if as_json:
        print_json(_as_json(result))
        return
    print_table(
        ("artifact", "bytes", "top-1", "95 % interval", "agrees with Keras", "ms / image", "vs tf.function"),
        [
            (
                row.artifact,
                size(row.bytes),
                percent(row.accuracy.top1),
                f"{percent(row.accuracy.low)} – {percent(row.accuracy.high)}",
                percent(row.agreement),
                f"{row.milliseconds:.3f}",
                f"{row.speedup:.1f}x faster" if row.speedup >= 1 else f"{1 / row.speedup:.1f}x slower",
            )
            for row in result.rows
        ],
        numeric=("bytes", "top-1", "agrees with Keras", "ms / image", "vs tf.function"),
    )
    click.echo()
    for name, path in _places(result):
        click.echo(f"{name:<20} {path}")
    click.echo(f"\nTry it: orilla run {_shown(result.bundle)} {_shown(result.bundle.parent / 'digits' / '7')}")


def _places(result: QuickstartResult) -> tuple[tuple[str, str], ...]:
    return (
        ("bundle", _shown(result.bundle)),
        ("report", _shown(result.report)),
        ("every figure", _shown(result.conversion)),
        ("annotated pictures", _shown(result.annotated)),
        ("annotated video", _shown(result.video)),
        ("results", _shown(result.results)),
    )


def _shown(path: Path) -> str:
    """The path as a person would type it from here."""
    absolute = path.resolve()
    return os.path.relpath(absolute) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _as_json(result: QuickstartResult) -> dict[str, object]:
    return {
        "artifacts": [
            {
                "artifact": row.artifact,
                "bytes": row.bytes,
                "n": row.accuracy.n,
                "top1": row.accuracy.top1,
                "top1_low": row.accuracy.low,
                "top1_high": row.accuracy.high,
                "agreement": row.agreement,
                "ms_per_image": row.milliseconds,
                "speedup": row.speedup,
            }
            for row in result.rows
        ],
        "keras_ms_per_image": result.keras_milliseconds,
        "bundle": str(result.bundle),
        "report": str(result.report),
        "conversion": str(result.conversion),
        "annotated": str(result.annotated),
        "video": str(result.video),
        "results": str(result.results),
    }
