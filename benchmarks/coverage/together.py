"""Job: several rows in one process, for CI: TensorFlow is imported once and not once for every cell.

The same jobs with the same parameters; what is lost is the isolation, which tests of its own cover.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.coverage.cells import Row, columns
from benchmarks.coverage.registry import ARCHITECTURES
from orilla_converters.job import Job, perform
from orilla_runtime import errors
from orilla_runtime.errors import ConversionError


class _HereAndNow:
    """Runs a job in this process, with the errors that a `Workshop` would raise."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch

    def run(self, kind: str, subject: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        outcome = perform(Job(kind, Path(tempfile.mkdtemp(dir=self.scratch)), parameters))
        if "refused" in outcome:
            refused = outcome["refused"]
            raise getattr(errors, refused["type"])(refused["message"], refused["remedy"])
        if "failed" in outcome:
            raise ConversionError(f"{subject}: the conversion {outcome['failed']}.")
        value: dict[str, Any] = outcome["value"]
        return value


def rows_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The cells of the architectures `names`, by name and column."""
    rows: dict[str, Any] = {}
    for name in parameters["names"]:
        row = Row(_HereAndNow(folder), ARCHITECTURES[name])
        rows[name] = {column: row.cell(column) for column in columns()}
    return rows
