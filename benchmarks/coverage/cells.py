"""One row of the table: the architecture is built once, each cell converted and judged in processes of their own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.coverage.causes import cause_of
from benchmarks.coverage.registry import CLASSES, Architecture
from orilla_converters.recipe import MEANINGS, Recipe
from orilla_converters.worker import Workshop
from orilla_runtime.errors import OrillaError

Cell = dict[str, Any]
_BROKEN = re.compile(r": the conversion (failed|crashed|took|ended)")


def columns() -> tuple[str, ...]:
    """Every format and precision that the converters offer, as `format:precision`."""
    return tuple(f"{format_}:{precision}" for format_, precision in MEANINGS)


def run_row(
    architecture: Architecture, wanted: Sequence[str], limit: float, found: Callable[[str, Cell], None]
) -> None:
    """Make and judge the cells of `wanted`; each goes to `found` as soon as it is known, whatever became of it."""
    with Workshop(limit) as workshop:
        row = Row(workshop, architecture)
        for column in wanted:
            start = time.monotonic()
            cell = row.cell(column)
            found(column, cell | {"seconds": round(time.monotonic() - start, 1)})


class Runner(Protocol):
    """What runs a job of the converters: a `Workshop`, in a process of its own."""

    scratch: Path

    def run(self, kind: str, subject: str, parameters: Mapping[str, Any]) -> dict[str, Any]: ...


class Row:
    """What the cells of one architecture share: its file, its pictures, and its ONNX graph or why there is none."""

    def __init__(self, workshop: Runner, architecture: Architecture) -> None:
        self._workshop = workshop
        self._architecture = architecture
        self._built: dict[str, Any] | OrillaError | None = None
        self._graph: dict[str, Any] | OrillaError | None = None

    def cell(self, column: str) -> Cell:
        """`status` is `ok`, `refused` (with `cause`, empty where no listed cause is stated) or `failed`."""
        format_, _, precision = column.partition(":")
        try:
            artifact = self._write(format_, precision)
        except OrillaError as error:
            return self._refusal(error)
        parameters = self._model | {"artifact": artifact, "format": format_, "precision": precision}
        try:
            judged = self._workshop.run("benchmarks.coverage.judging:judge_job", column, parameters)
        except OrillaError as error:
            return {"status": "failed", "reason": f"The file does not run: {self._without_paths(error.message)}"}
        faults = judged.pop("faults")
        if faults:
            return judged | {"status": "failed", "reason": "; ".join(faults)}
        return judged | {"status": "ok"}

    @property
    def _model(self) -> dict[str, Any]:
        name = self._architecture.name
        if self._built is None:
            try:
                self._built = self._workshop.run("benchmarks.coverage.building:build_job", name, {"name": name})
            except OrillaError as error:
                self._built = error
        if isinstance(self._built, OrillaError):
            raise self._built
        return self._built

    def _write(self, format_: str, precision: str) -> str:
        recipe = Recipe(format_, precision, **self._knobs(precision))
        source = {"model": self._model["model"], "raw": True, "normalization": None}
        sample = {
            "calibration": next(iter(self._model["samples"].values())),
            "calibrations": self._model["samples"],
            "labels": [str(number) for number in range(CLASSES)],
            "channels": "rgb",
            "recipe": str(recipe),
        }
        if format_ == "onnx":
            written = self._workshop.run("onnx", recipe.name, self._onnx_graph(source) | sample)
        else:
            written = self._workshop.run(format_, recipe.name, source | sample)
        return str(written["path"])

    def _knobs(self, precision: str) -> dict[str, Any]:
        return {"float_layers": tuple(self._model["float_layers"])} if precision == "mixed" else {}

    def _onnx_graph(self, source: dict[str, Any]) -> dict[str, Any]:
        if self._graph is None:
            try:
                made = self._workshop.run("onnx-graph", "onnx", source)
                self._graph = made | {"graph": made["path"]}
            except OrillaError as error:
                self._graph = error
        if isinstance(self._graph, OrillaError):
            raise self._graph
        return self._graph

    def _refusal(self, error: OrillaError) -> Cell:
        reason = self._without_paths(error.message)
        if _BROKEN.search(reason):
            return {"status": "failed", "reason": reason}
        return {"status": "refused", "cause": cause_of(reason), "reason": reason, "remedy": error.remedy}

    def _without_paths(self, text: str) -> str:
        """One line; scratch folders are other ones in each run."""
        text = " ".join(text.split())
        if isinstance(self._built, dict):
            text = text.replace(self._built["model"], "the model")
        return re.sub(rf"{re.escape(str(self._workshop.scratch))}\S*", "a scratch file", text)
