"""What `convert` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.stability import Flips
from orilla_converters.standing import Row, Standing
from orilla_converters.timing import Latency
from orilla_runtime.bundle.manifest import Gate, Metrics
from orilla_runtime.bundle.raw_manifest import RawGate, RawMetrics
from orilla_runtime.errors import DataError


@dataclass(frozen=True, slots=True)
class ArtifactResult:
    """One artifact of the bundle: its path in it, its size, what was measured and what it had to pass.

    repairs: what was tried before it passed, in words; empty where it passed at once.
    cosine, untied, flips: as `orilla_converters.metrics.Comparison` has them.
    latency: milliseconds on this machine; None where nothing was timed.
    size_ratio, time_ratio: of float32 of the same format; None where there is none.
    default: of its format. pareto: no other is at least as good in accuracy, latency and size and better in one.
    """

    path: str
    format: str
    precision: str
    bytes: int
    metrics: Metrics
    gate: Gate
    cosine: float
    untied: float
    flips: tuple[Flips, ...]
    latency: Latency | None
    size_ratio: float | None
    time_ratio: float | None
    slower: bool
    larger: bool
    default: bool
    pareto: bool
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawArtifactResult:
    """One artifact of a raw bundle: its path in it, its size, what was measured and what it had to pass.

    latency, size_ratio, time_ratio, slower, larger, default: as `ArtifactResult` has them.
    """

    path: str
    format: str
    precision: str
    bytes: int
    metrics: RawMetrics
    gate: RawGate
    latency: Latency | None
    size_ratio: float | None
    time_ratio: float | None
    slower: bool
    larger: bool
    default: bool


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """The bundle that was written, and the report where one was asked for. `calibrated_on` counts pictures or samples.

    Either `artifacts` or, in a raw bundle, `raw` is empty.
    """

    path: Path
    bundle_id: str
    artifacts: tuple[ArtifactResult, ...]
    calibrated_on: int
    report: Path | None = None
    raw: tuple[RawArtifactResult, ...] = ()


def artifact_results(rows: Sequence[Standing]) -> tuple[ArtifactResult, ...]:
    """The results of artifacts that were judged."""
    return tuple(_artifact_result(row) for row in rows)


def _artifact_result(row: Standing) -> ArtifactResult:
    verdict, comparison = row.verdict, row.verdict.comparison
    if comparison is None:
        raise DataError(f"{verdict.recipe.name} was not judged.")
    return ArtifactResult(
        **figures(row),
        metrics=comparison.metrics,
        gate=verdict.gate,
        cosine=comparison.cosine,
        untied=comparison.untied,
        flips=comparison.flips,
        pareto=row.pareto,
        repairs=verdict.repairs,
    )


def figures(row: Row) -> dict[str, Any]:
    """What the results of artifacts of every kind say, by the names of their fields."""
    return {
        "path": row.path,
        "format": row.verdict.recipe.format,
        "precision": row.verdict.recipe.precision,
        "bytes": len(row.verdict.data),
        "latency": row.latency,
        "size_ratio": row.size_ratio,
        "time_ratio": row.time_ratio,
        "slower": row.slower,
        "larger": row.larger,
        "default": row.default,
    }
