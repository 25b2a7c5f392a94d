"""How a raw artifact compares with Keras, in the columns of a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orilla.cli.console import print_json, print_table, size

if TYPE_CHECKING:
    from orilla_converters.results import ConversionResult
    from orilla_runtime.bundle.raw_manifest import RawMetrics


def worst_output(metrics: RawMetrics | None) -> tuple[str, str, str]:
    """Name, SQNR and cosine of the output with the least SQNR."""
    if metrics is None or not metrics.outputs:
        return "–", "–", "–"
    worst = min(metrics.outputs, key=lambda output: float("inf") if output.sqnr_db is None else output.sqnr_db)
    return worst.name, "exact" if worst.sqnr_db is None else f"{worst.sqnr_db:.1f}", f"{worst.cosine:.4f}"


def print_raw(result: ConversionResult, *, as_json: bool) -> None:
    """A raw conversion's artifacts, each by its worst output; as JSON by all of them."""
    if as_json:
        artifacts = [asdict(artifact) for artifact in result.raw]
        head = {"bundle": str(result.path), "id": result.bundle_id, "calibrated_on": result.calibrated_on}
        print_json({**head, "artifacts": artifacts})
        return
    columns = ("artifact", "bytes", "worst output", "SQNR dB", "cosine")
    rows = [(one.path, size(one.bytes), *worst_output(one.metrics)) for one in result.raw]
    print_table(columns, rows, numeric=("bytes", "SQNR dB", "cosine"))
    n = result.raw[0].metrics.n
    click.echo(f"\n{result.path}: {len(result.raw)} artifacts, judged on {n} samples. id {result.bundle_id}")
