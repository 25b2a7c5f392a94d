"""The page: everything that a conversion found out, in one HTML file that needs no other and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from orilla_converters.report import plot
from orilla_converters.report import rows as cells
from orilla_converters.report.worst import worst_pictures
from orilla_converters.standing import Standing
from orilla_runtime.errors import OrillaError
from orilla_runtime.files import replaced
from orilla_runtime.labelled.images import LabelledImages


@dataclass(frozen=True, slots=True)
class Report:
    """What a page tells. `bundle_id` is empty and `failure` is there where no bundle was written.

    tried: of artifacts that failed, what `repair` tried, in words, by the artifact's name. facts: how it was calibrated
    and judged, in words. images: the judged pictures.
    """

    bundle: str
    bundle_id: str
    rows: Sequence[Standing]
    images: LabelledImages
    labels: Sequence[str]
    facts: Mapping[str, str]
    failure: OrillaError | None = None
    tried: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """Write the page, and its plot as PNG beside it (`NAME.png`); each is there whole or not at all.

    Raises:
        SinkError: one of them cannot be written.
    """
    svg, png = plot.draw(report.rows)
    if png:
        with replaced(path.with_suffix(".png")) as part:
            part.write_bytes(png)
    with replaced(path) as part:
        # A file name that is no UTF-8 holds lone surrogates.
        part.write_bytes(render(report, svg).encode("utf-8", "xmlcharrefreplace"))


def render(report: Report, svg: str) -> str:
    """The page as text; `svg` is the plot, or empty."""
    template = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    timed = plot.is_timed(report.rows)
    return template.substitute(
        title=escape(f"Conversion of {report.bundle}"),
        banner=_banner(report),
        caption=escape(cells.caption(report.rows)),
        columns=cells.columns(timed),
        rows="\n".join(cells.row(row, timed) for row in report.rows),
        legend=_legend(timed),
        plot=_plot(report.rows, svg, timed),
        thresholds=cells.threshold_columns(report.rows),
        flips="\n".join(cells.flips_row(row) for row in report.rows if row.verdict.comparison),
        worst="\n".join(worst_pictures(row, report.images, report.labels) for row in report.rows),
        repairs=_repairs(report),
        facts="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in report.facts.items()),
    )


def _banner(report: Report) -> str:
    if report.failure is None:
        text = (
            f"All {len(report.rows)} artifacts passed their gates." if len(report.rows) > 1 else "It passed its gate."
        )
        return (
            f'<div class="banner good"><strong>✓ {text}</strong>'
            f"<p>Bundle <code>{escape(report.bundle)}</code>, id <code>{escape(report.bundle_id)}</code></p></div>"
        )
    failed = [row.verdict for row in report.rows if row.verdict.shortcomings]
    reasons = "".join(
        f"<li><strong>{escape(verdict.recipe.name)}</strong>: {escape('; '.join(verdict.shortcomings))}</li>"
        for verdict in failed
    )
    return (
        f'<div class="banner bad"><strong>✗ {len(failed)} of {len(report.rows)} artifacts failed: no bundle was '
        f"written.</strong><ul>{reasons}</ul><p>{escape(report.failure.message)}</p>"
        f"<p>{escape(report.failure.remedy)}</p></div>"
    )


def _legend(timed: bool) -> str:
    what = "top-1, latency and size" if timed else "top-1 and size"
    return (
        "<p><small>Default: what runs of its format when nobody names one. Pareto: no other artifact is at least "
        f"as good in {what} and better in one of them. Top-1 with its 95 % interval (Wilson). Agreement: the same best "
        "class as Keras. x: of float32 of the same format. SQNR and cosine: of the centred logits. Untied: pictures "
        "whose places 1 to 5 hold five different scores.</small></p>"
    )


def _plot(rows: Sequence[Standing], svg: str, timed: bool) -> str:
    if not svg:
        return ""
    formats = dict.fromkeys(row.verdict.recipe.format for row in rows)
    dots = "".join(
        f'<span><span class="dot" style="border-color:{colour};background:{colour}"></span>{escape(name)}</span>'
        for name in formats
        for colour in [plot.COLOURS.get(name, plot.OTHER_COLOUR)]
    )
    what = "Accuracy, latency and size" if timed else "Accuracy and size"
    return (
        f'<h2>{what}</h2>\n<div class="plot">{svg}</div>\n<p class="key">{dots}'
        "<span>area: bytes</span><span>filled, bold: Pareto-optimal</span></p>"
    )


def _repairs(report: Report) -> str:
    told = {row.verdict.recipe.name: row.verdict.repairs for row in report.rows if row.verdict.repairs}
    told |= {name: tuple(steps) for name, steps in report.tried.items() if name not in told}
    if not told:
        return ""
    parts = ["<h2>What was repaired, and why</h2>"]
    for name, steps in told.items():
        items = "".join(f"<li>{escape(step)}</li>" for step in steps)
        parts.append(f"<h3>{escape(name)}</h3><ol>{items}</ol>")
    return "\n".join(parts)
