"""Where a benchmark's figures go: JSON for machines, Markdown for people, both with the machine's description."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orilla_runtime.bundle.manifest import Artifact, Manifest
from orilla_runtime.engines.selection import usable_cpus

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("orilla", "tensorflow", "keras", "onnxruntime", "ai-edge-litert", "opencv-python-headless", "numpy")


def test_data() -> Path:
    """The folder of real photos and models."""
    return Path(os.environ.get("ORILLA_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "usable_cpus": usable_cpus(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def artifact_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """The proved figures of every artifact of a bundle."""
    sizes = {entry.path: entry.bytes for entry in manifest.files}
    return [_row(artifact, sizes[artifact.path]) for artifact in manifest.artifacts]


def _row(artifact: Artifact, size: int) -> dict[str, Any]:
    metrics = artifact.metrics
    assert metrics is not None
    assert metrics.accuracy is not None
    return {
        "artifact": artifact.path,
        "bytes": size,
        "n": metrics.n,
        "top1": round(metrics.accuracy.top1, 4),
        "top1_low": round(metrics.accuracy.low, 4),
        "top1_high": round(metrics.accuracy.high, 4),
        "agreement": round(metrics.agreement, 4),
        "sqnr_db": None if metrics.sqnr_db is None else round(metrics.sqnr_db, 1),
        "max_abs_error": metrics.max_abs_error,
    }


def write(
    name: str,
    title: str,
    figures: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write `results/NAME.json` and `results/NAME.md`, and print the second; `details` are for the first alone."""
    document = {"benchmark": name, "machine": machine(), **figures, **(details or {}), "artifacts": list(rows)}
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    lines = [f"# {title}", "", *(f"- {key}: {value}" for key, value in figures.items()), ""]
    columns = list(rows[0])
    lines += ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows]
    described = machine()
    lines += [
        "",
        f"{described['processor']}, {described['usable_cpus']} CPUs, {described['system']}, {described['date']}; ",
    ]
    lines[-1] += ", ".join(f"{package} {number}" for package, number in described["packages"].items()) + "."
    text = "\n".join(lines) + "\n"
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
