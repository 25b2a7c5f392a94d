"""`docs/coverage.md` from `coverage.json`, and from nothing else: a test compares the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.coverage.causes import CAUSES
from benchmarks.coverage.judging import CLOSE

_TITLES = {"tflite": "TFLite", "onnx": "ONNX", "savedmodel": "SavedModel"}
_INTRODUCTION = f"""# What can be converted

Every row is a Keras model, every column a precision. Each cell was converted by the real converters, in processes of
its own, and run in its real engine (LiteRT, ONNX Runtime) on drawn pictures. `python -m benchmarks.coverage` makes this
page.

✓: the file takes bytes and gives float32 under the model's own names, holds weights of its precision and built-in
operators alone, and its outputs are finite and not constant. The number is, for float32, the largest error against
Keras as a share of the output's range: it must stay below {CLOSE:g}, with the same best class wherever Keras' two best
differ by more than that. For the others it is the signal-to-noise ratio of the logits. The weights are random (though
with warmed BatchNormalization and spread scores), and random nets magnify noise: these figures say that a file works,
not what it costs in accuracy. In `mixed` the first layer with weights stays in float.

`refused: …`: an error that says why, and no file; the causes are below. ✗: a fault of ours, explained below. –: not
run.
"""


def render(document: Mapping[str, Any]) -> str:
    """The page as Markdown; `document` is what `coverage.json` holds."""
    columns, rows = document["columns"], document["rows"]
    parts = [_INTRODUCTION.rstrip(), _summary(columns, rows)]
    for format_ in dict.fromkeys(column.partition(":")[0] for column in columns):
        of_format = [column for column in columns if column.startswith(f"{format_}:")]
        parts.append(f"## {_TITLES.get(format_, format_)}\n\n" + "\n".join(_table(of_format, rows)))
    parts.append("## What is rightly refused\n\n" + "\n".join(f"- **{one.name}**: {one.why}" for one in CAUSES))
    for title, lines in (
        ("Operators that stay in float in a quantized file", list(_in_float(rows))),
        ("Faults", list(_faults(rows))),
    ):
        if lines:
            parts.append(f"## {title}\n\n" + "\n".join(lines))
    parts.append(_machine(document["machine"]))
    return "\n\n".join(parts) + "\n"


def mark(cell: Mapping[str, Any] | None, exact: bool = False) -> str:
    """A cell in a few characters; `exact` gives the error in place of the ratio."""
    if cell is None:
        return "–"
    if cell["status"] == "ok":
        return f"✓ {cell['error']:.0e}" if exact else f"✓ {cell['sqnr_db']:.0f} dB"
    if cell["status"] == "refused" and cell["cause"]:
        return f"refused: {cell['cause']}"
    return "✗"


def _table(columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "| model | " + " | ".join(column.partition(":")[2] for column in columns) + " |"
    yield "| --- " * (len(columns) + 1) + "|"
    for name, cells in rows.items():
        yield (
            f"| {name} | "
            + " | ".join(mark(cells.get(column), column.endswith(":float32")) for column in columns)
            + " |"
        )


def _summary(columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    marks = [mark(cells.get(column)) for cells in rows.values() for column in columns]
    good, refused = (sum(one.startswith(start) for one in marks) for start in ("✓", "refused"))
    return (
        f"{len(rows)} models, {len(marks)} cells: {good} ✓, {refused} rightly refused, {marks.count('✗')} ✗, "
        f"{marks.count('–')} not run."
    )


def _in_float(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One softmax is left out: the closing one is in float on purpose, in every file."""
    for name, cells in rows.items():
        for column, cell in cells.items():
            counts = {one: count - (one.lower() == "softmax") for one, count in cell.get("in_float", {}).items()}
            names = [_times(one, count) for one, count in counts.items() if count]
            if cell["status"] == "ok" and names:
                yield f"- {name}, {column}: {', '.join(names)}"


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count}x)"


def _faults(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, cells in rows.items():
        reasons: dict[str, list[str]] = {}
        for column, cell in cells.items():
            if mark(cell) == "✗":
                reasons.setdefault(cell["reason"], []).append(column)
        for reason, columns in reasons.items():
            yield f"- {name}, {', '.join(columns)}: {reason}"


def _machine(machine: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return f"Run on {machine['date']}, {machine['system']}; {packages}."
