"""In words: what a conversion was made from, calibrated on and judged by, and where it was timed."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from orilla_converters.standing import Standing
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.preprocess import Preprocess


def facts(
    model: str,
    record: Mapping[str, Any],
    rows: Sequence[Standing],
    preprocess: Preprocess,
    max_drop: float,
) -> dict[str, str]:
    """Names and texts, in the order in which a page shows them; `record` as the bundle's `extra` has it."""
    calibration, judged = record["calibration"], record["judged"]
    origin = (
        "the training's own split" if calibration["origin"] == "split" else f"drawn with seed {calibration['seed']}"
    )
    height, width = preprocess.size
    found = {
        "model": model,
        "input": f"{width}x{height} {preprocess.channels}, {preprocess.fit}, {preprocess.interpolation}",
        "recipes": "; ".join(str(row.verdict.recipe) for row in rows),
        "calibrated on": f"{calibration['n']} pictures, {origin}; sha256 of their tensors {calibration['digest']}",
        "judged on": f"{judged['n']} other pictures; sha256 of their tensors {judged['digest']}",
        "gates": "; ".join(dict.fromkeys(_gate(row) for row in rows)),
        "top-1 lost at most": f"{max_drop * 100:g} points",
    }
    latency = next((row.latency for row in rows if row.latency is not None), None)
    if latency is not None:
        found["latency"] = (
            "median and quartiles of one call of the engine with one picture, over the "
            f"{latency.rounds} quietest interleaved rounds; {platform.machine()}, {usable_cpus()} cores"
        )
    return found


def _gate(row: Standing) -> str:
    gate = row.verdict.gate
    return f"{row.verdict.recipe.precision}: agreement ≥ {gate.min_agreement:.1%}, SQNR ≥ {gate.min_sqnr_db:g} dB"
