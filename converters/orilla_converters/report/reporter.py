"""Writes the report of a conversion where one was asked for, whether there is a bundle or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.progress import Note, Progress
from orilla_converters.report.facts import facts
from orilla_converters.report.page import Report, write_report
from orilla_converters.standing import Standing, standings
from orilla_converters.verify import Judge, Verdict
from orilla_runtime.errors import OrillaError, SinkError, UsageError
from orilla_runtime.files import require_writable
from orilla_runtime.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class Reporter:
    """`path` is None where nobody asked for a report. `record` is the bundle's `extra`; `model` and `bundle`, names."""

    path: Path | None
    model: str
    bundle: str
    labels: Sequence[str]
    preprocess: Preprocess
    record: Mapping[str, Any]
    judge: Judge

    def passed(self, rows: Sequence[Standing], bundle_id: str) -> None:
        """Write the report of a bundle that is there.

        Raises:
            SinkError: it cannot be written.
        """
        if self.path is not None:
            write_report(self.path, self._report(rows, bundle_id))

    def failed(
        self, verdicts: Sequence[Verdict], error: OrillaError, tried: Mapping[str, Sequence[str]], say: Progress
    ) -> None:
        """Write why there is no bundle; where that fails, say so: the gate that failed is the greater news."""
        if self.path is None:
            return
        try:
            write_report(self.path, self._report(standings(verdicts, {}, {}), "", error, tried))
        except SinkError as unwritten:
            say(Note(unwritten.message))

    def _report(
        self,
        rows: Sequence[Standing],
        bundle_id: str,
        failure: OrillaError | None = None,
        tried: Mapping[str, Sequence[str]] | None = None,
    ) -> Report:
        told = facts(self.model, self.record, rows, self.preprocess, self.judge.max_drop)
        return Report(self.bundle, bundle_id, rows, self.judge.images, self.labels, told, failure, tried or {})


def checked_report(path: str | Path | None) -> Path | None:
    """Refuse now what would fail after minutes of work.

    Raises:
        UsageError: no name of a page. SinkError: it cannot be written there, or is a folder.
    """
    if path is None:
        return None
    path = Path(path)
    if path.suffix != ".html":
        better = path.with_suffix(".html").name if path.name else "NAME.html"
        raise UsageError(f"{path}: a report's name ends in .html.", f"Take {better}.")
    require_writable(path)
    return path
