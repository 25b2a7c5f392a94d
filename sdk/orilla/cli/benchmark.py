"""`orilla benchmark`: what one picture costs on this machine, for every artifact and number of threads."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json, print_table, say
from orilla.cli.model_options import model_options

if TYPE_CHECKING:
    from orilla_runtime.benchmark import Percentiles
    from orilla_runtime.model import Model


@click.command()
@click.argument("model", type=click.Path())
@click.option("--artifact", help="Only this artifact of the bundle.")
@click.option("--picture", type=click.Path(), help="A picture to classify; by default a drawn one of 1280x720.")
@click.option("--rounds", type=click.IntRange(min=10, max=100_000), default=100, show_default=True)
@model_options
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(model: str, artifact: str | None, picture: str | None, rounds: int, as_json: bool, **options: Any) -> int:
    """Time MODEL in interleaved rounds: the engine alone, and all from a decoded picture to its result."""
    from orilla_runtime.benchmark import benchmark

    with ExitStack() as stack:
        models = _open(stack, model, artifact, options)
        speeds = benchmark(models, _frame(picture), rounds)
    if as_json:
        print_json([asdict(speed) for speed in speeds])
        return 0
    columns = ("artifact", "engine", "threads", "first ms", "engine p50 / p95 / p99 ms", "frame p50 / p95 / p99 ms")
    rows = [(s.artifact, s.engine, str(s.threads), f"{s.first:.2f}", _three(s.invoke), _three(s.frame)) for s in speeds]
    print_table(columns, rows, numeric=columns[2:])
    return 0


def _open(stack: ExitStack, path: str, artifact: str | None, options: dict[str, Any]) -> list[tuple[Model, int]]:
    from orilla.evaluation.evaluate import open_artifacts
    from orilla_runtime.engines.selection import usable_cpus

    chosen = options.pop("threads")
    models: list[tuple[Model, int]] = []
    skipped: tuple[tuple[str, str], ...] = ()
    for threads in [chosen] if chosen else sorted({1, usable_cpus()}):
        opened, skipped = open_artifacts(path, artifact, {**options, "threads": threads})
        models += [(stack.enter_context(model), threads) for model in opened]
    for name, reason in skipped:
        say(f"skipped {name}: {reason}")
    return models


def _frame(picture: str | None) -> Any:
    from orilla_runtime.sources.picture import read_picture

    if picture:
        return read_picture(picture)
    import numpy as np

    rows, columns = np.mgrid[0:720, 0:1280]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=2).astype(np.uint8)


def _three(times: Percentiles) -> str:
    return f"{times.p50:.2f} / {times.p95:.2f} / {times.p99:.2f}"
