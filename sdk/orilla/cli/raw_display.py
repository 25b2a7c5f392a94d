"""How a raw artifact compares with Keras, in the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import RawMetrics


def worst_output(metrics: RawMetrics | None) -> tuple[str, str, str]:
    """Name, SQNR and cosine of the output with the least SQNR."""
    if metrics is None or not metrics.outputs:
        return "–", "–", "–"
    worst = min(metrics.outputs, key=lambda output: float("inf") if output.sqnr_db is None else output.sqnr_db)
    return worst.name, "exact" if worst.sqnr_db is None else f"{worst.sqnr_db:.1f}", f"{worst.cosine:.4f}"
