"""The figures of a conversion as a table of at most 100 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import percent, print_table, size
from orilla.cli.raw_display import worst_output

if TYPE_CHECKING:
    from orilla_converters.results import ArtifactResult, ConversionResult, RawArtifactResult

NONE = "–"


def print_conversion(result: ConversionResult) -> None:
    """The table, what its marks mean, and where everything lies."""
    if result.raw:
        _print_raw(result)
        return
    artifacts = result.artifacts
    heads = ("artifact", "bytes", "top-1 (95 %)", "agrees", "SQNR", "untied", "ms", "ratio", "verdict")
    timed = any(artifact.latency for artifact in artifacts)
    kept = [place for place, head in enumerate(heads) if timed or head not in {"ms", "ratio"}]
    rows = [tuple(_row(artifact)[place] for place in kept) for artifact in artifacts]
    print_table([heads[place] for place in kept], rows, numeric=heads[1:-1], gap=2)
    click.echo(f"\n{_marks(timed)}")
    keras = artifacts[0].metrics.keras_accuracy
    judged = f"judged on {artifacts[0].metrics.n} pictures" + (f"; Keras {percent(keras.top1)}" if keras else "")
    click.echo(f"{result.path}: {len(artifacts)} artifacts, {judged}. id {result.bundle_id}")
    if result.report:
        click.echo(f"{result.report}: all figures, and the pictures on which they differ most")


def _print_raw(result: ConversionResult) -> None:
    """Each artifact by its worst output."""
    timed = any(artifact.latency for artifact in result.raw)
    heads = ("artifact", "bytes", "worst output", "SQNR dB", "cosine", *(("ms", "ratio") if timed else ()), "verdict")
    rows = [_raw_row(artifact, timed) for artifact in result.raw]
    print_table(heads, rows, numeric=tuple(head for head in heads[1:-1] if head != "worst output"))
    judged = f"judged on {result.raw[0].metrics.n} samples"
    click.echo("\n* the default of its format" + ("   ratio: to float32's ms" if timed else ""))
    click.echo(f"{result.path}: {len(result.raw)} artifacts, {judged}. id {result.bundle_id}")


def _raw_row(artifact: RawArtifactResult, timed: bool) -> tuple[str, ...]:
    times = _times(artifact) if timed else ()
    marks = ["*"] if artifact.default else []
    name = artifact.path.removeprefix("artifacts/")
    verdict = " ".join(["passed", *marks, *_warnings(artifact)])
    return (name, size(artifact.bytes), *worst_output(artifact.metrics), *times, verdict)


def _row(artifact: ArtifactResult) -> tuple[str, ...]:
    metrics = artifact.metrics
    return (
        artifact.path.removeprefix("artifacts/"),
        size(artifact.bytes),
        _top1(artifact),
        percent(metrics.agreement),
        "exact" if metrics.sqnr_db is None else f"{metrics.sqnr_db:.1f}",
        percent(artifact.untied),
        *_times(artifact),
        _verdict(artifact),
    )


def _times(artifact: ArtifactResult | RawArtifactResult) -> tuple[str, str]:
    """Milliseconds, and their ratio to float32's."""
    ratio = NONE if artifact.time_ratio is None else f"{artifact.time_ratio:.2f}x"
    return NONE if artifact.latency is None else f"{artifact.latency.median:.3g}", ratio


def _top1(artifact: ArtifactResult) -> str:
    accuracy = artifact.metrics.accuracy
    if accuracy is None:
        return NONE
    return f"{percent(accuracy.top1)} ({accuracy.low * 100:.1f}–{accuracy.high * 100:.1f})"


def _verdict(artifact: ArtifactResult) -> str:
    marks = ("*" if artifact.default else "") + ("+" if artifact.pareto else "")
    words = ["repaired" if artifact.repairs else "passed", marks, *_warnings(artifact)]
    return " ".join(word for word in words if word)


def _warnings(artifact: ArtifactResult | RawArtifactResult) -> list[str]:
    return [word for word, there in (("slower", artifact.slower), ("larger", artifact.larger)) if there]


def _marks(timed: bool) -> str:
    figures = "top-1, time and size" if timed else "top-1 and size"
    line = f"* the default of its format   + no other is as good in {figures}"
    return f"{line}   ratio: to float32's ms" if timed else line


def conversion_as_json(result: ConversionResult) -> dict[str, Any]:
    """Plain JSON: fractions of 1, milliseconds, bytes."""
    return {
        "bundle": str(result.path),
        "id": result.bundle_id,
        "report": None if result.report is None else str(result.report),
        "calibrated_on": result.calibrated_on,
        "artifacts": [
            *(_artifact_json(artifact) for artifact in result.artifacts),
            *(asdict(artifact) for artifact in result.raw),
        ],
    }


def _artifact_json(artifact: ArtifactResult) -> dict[str, Any]:
    metrics = artifact.metrics
    accuracy, keras = metrics.accuracy, metrics.keras_accuracy
    return {
        "artifact": artifact.path,
        "format": artifact.format,
        "precision": artifact.precision,
        "bytes": artifact.bytes,
        "size_ratio": artifact.size_ratio,
        "n": metrics.n,
        "top1": None if accuracy is None else accuracy.top1,
        "top1_low": None if accuracy is None else accuracy.low,
        "top1_high": None if accuracy is None else accuracy.high,
        "keras_top1": None if keras is None else keras.top1,
        "agreement": metrics.agreement,
        "sqnr_db": metrics.sqnr_db,
        "cosine": artifact.cosine,
        "max_abs_error": metrics.max_abs_error,
        "untied_to_place_5": artifact.untied,
        "thresholds": _thresholds(artifact),
        "ms": None if artifact.latency is None else asdict(artifact.latency),
        "time_ratio": artifact.time_ratio,
        "slower_than_float32": artifact.slower,
        "larger_than_float32": artifact.larger,
        "default": artifact.default,
        "pareto": artifact.pareto,
        "repairs": list(artifact.repairs),
    }


def _thresholds(artifact: ArtifactResult) -> Sequence[dict[str, Any]]:
    return [asdict(flips) for flips in artifact.flips]
