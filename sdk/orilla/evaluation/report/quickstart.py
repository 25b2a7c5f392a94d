"""The quickstart's page: one self-contained HTML file, readable without a network and on a phone."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from orilla_runtime.bundle.manifest import Accuracy

SHOWN_RIGHT = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `speedup` is how many times faster than a `tf.function` of the Keras model."""

    artifact: str
    bytes: int
    accuracy: Accuracy
    agreement: float
    milliseconds: float
    speedup: float


@dataclass(frozen=True, slots=True)
class QuickstartResult:
    """What was made. `keras_milliseconds` is one call of a `tf.function` of the Keras model, batch of one.

    `report` is the page of this quickstart, `conversion` the one of its conversion.
    """

    rows: tuple[Row, ...]
    keras_milliseconds: float
    bundle: Path
    report: Path
    conversion: Path
    results: Path
    annotated: Path
    video: Path


def render(result: QuickstartResult, pictures: list[Path], found: list[dict[str, Any]]) -> str:
    """The page as text.

    Args:
        pictures: the held-out files; the folder's name is the true class.
        found: the objects of `run --jsonl`, one a picture, in the same order.
    """
    judged = [(path, path.parent.name, entry["predictions"][0]) for path, entry in zip(pictures, found, strict=True)]
    wrong = [entry for entry in judged if entry[2]["label"] != entry[1]]
    right = [entry for entry in judged if entry[2]["label"] == entry[1]]
    template = Template((files(__package__) / "quickstart.html").read_text(encoding="utf-8"))
    return template.substitute(
        pictures=len(judged),
        wrong=len(wrong),
        keras=f"{result.keras_milliseconds:.3f}",
        rows="\n".join(_row(row) for row in result.rows),
        mistakes="\n".join(_figure(*entry) for entry in wrong) or "<p>None.</p>",
        right="\n".join(_figure(*entry) for entry in right[:: max(1, len(right) // SHOWN_RIGHT)]),
        bundle=escape(result.bundle.name),
    )


def _row(row: Row) -> str:
    accuracy = row.accuracy
    cells = (
        f"<code>{escape(row.artifact)}</code>",
        f"{row.bytes:,}",
        f"{accuracy.top1:.1%}<br><small>{accuracy.low:.1%} – {accuracy.high:.1%}</small>",
        f"{row.agreement:.1%}",
        f"{row.milliseconds:.3f}",
        f"{row.speedup:.1f}x",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _figure(path: Path, truth: str, prediction: dict[str, Any]) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    label, score = escape(prediction["label"]), prediction["score"]
    mark = "" if prediction["label"] == truth else f" <b>(is {escape(truth)})</b>"
    alt = f"a handwritten {escape(truth)}"
    caption = f"<figcaption>{label} {score:.0%}{mark}</figcaption>"
    return f'<figure><img src="data:image/png;base64,{data}" alt="{alt}" width="64" height="64">{caption}</figure>'
