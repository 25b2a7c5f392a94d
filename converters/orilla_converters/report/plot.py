"""Accuracy, latency and size of all artifacts in one plot; those that no other beats are filled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from math import log10, pi, sqrt
from typing import TYPE_CHECKING, Any

from orilla_converters.standing import Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES = (4.8, 3.9)
DOTS_PER_INCH = 200
LARGEST, SMALLEST = 340.0, 40.0
"""Areas of markers, in square points."""
COLOURS = {"tflite": "#2f7fd1", "onnx": "#d9722e"}
OTHER_COLOUR = "#7d8a99"
INK = "#123456"
"""Of text and lines in the SVG; it becomes the page's own colour, light or dark."""
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "orilla", "font.size": 10, "font.family": "sans-serif"}
_NEAR = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
_OFFSETS = (*_NEAR, (0, 2), (0, -2), (0, 3), (0, -3), (1, 2), (-1, 2), (1, -2), (-1, -2))
"""Where a name may stand beside its marker, the best places first: to the right and upwards."""


@dataclass(frozen=True, slots=True)
class Point:
    """One artifact: `x` milliseconds, or bytes where nothing was timed; `y` per cent with the ends of its interval."""

    name: str
    format: str
    x: float
    y: float
    low: float
    high: float
    bytes: int
    pareto: bool


def points(rows: Sequence[Standing]) -> tuple[Point, ...]:
    """The artifacts that ran; their agreement with Keras where there were no labels."""
    timed = is_timed(rows)
    found = []
    for row in rows:
        comparison = row.verdict.comparison
        if comparison is None or (timed and row.latency is None):
            continue
        metrics, size = comparison.metrics, len(row.verdict.data)
        top = metrics.accuracy
        values = (metrics.agreement,) * 3 if top is None else (top.top1, top.low, top.high)
        y, low, high = (100 * value for value in values)
        x = row.latency.median if timed and row.latency is not None else float(size)
        recipe = row.verdict.recipe
        found.append(Point(recipe.name, recipe.format, x, y, low, high, size, row.pareto))
    return tuple(found)


def is_timed(rows: Sequence[Standing]) -> bool:
    """Whether any artifact was timed."""
    return any(row.latency is not None for row in rows)


def draw(rows: Sequence[Standing]) -> tuple[str, bytes]:
    """The plot as SVG for a page, in the colour of its text, and as PNG on white; ("", b"") where no artifact ran."""
    found = points(rows)
    if not found:
        return "", b""
    import matplotlib as mpl

    labelled = any(row.verdict.comparison and row.verdict.comparison.metrics.accuracy for row in rows)
    with mpl.rc_context(_SETTINGS):
        svg = _figure(found, is_timed(rows), labelled, INK)
        text = BytesIO()
        svg.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        png = _figure(found, is_timed(rows), labelled, "#222222")
        image = BytesIO()
        png.savefig(image, format="png", dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})
    return _inline(text.getvalue().decode(), found), image.getvalue()


def _figure(found: Sequence[Point], timed: bool, labelled: bool, ink: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    _scale(axes, found)
    axes.set_xlabel("milliseconds a picture (median), batch of one" if timed else "bytes", color=ink)
    axes.set_ylabel("top-1, % (95 % interval)" if labelled else "agreement with Keras, %", color=ink)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(ink)
    axes.tick_params(colors=ink, which="both")
    axes.grid(visible=True, color=ink, alpha=0.15, linewidth=0.6)
    for point in found:
        colour = COLOURS.get(point.format, OTHER_COLOUR)
        axes.plot([point.x, point.x], [point.low, point.high], color=colour, alpha=0.35, linewidth=1.2, zorder=1)
        face = colour if point.pareto else "none"
        axes.scatter(
            [point.x], [point.y], s=_area(point, found), c=face, edgecolors=colour, linewidths=1.4, alpha=0.85, zorder=2
        )
    figure.draw_without_rendering()
    _name(axes, canvas.get_renderer(), found, ink)  # type: ignore[no-untyped-call]
    return figure


def _scale(axes: Axes, found: Sequence[Point]) -> None:
    """Room for the markers and names; plain numbers, no powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(point.x for point in found), max(point.x for point in found)
    room = max(0.15, 0.28 * log10(high / low))
    axes.set_xlim(low / 10**room, high * 10**room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    bottom, top = min(point.low for point in found), max(point.high for point in found)
    span = max(top - bottom, 1.0)
    axes.set_ylim(bottom - 0.12 * span, top + 0.12 * span)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value <= 100 else ""))


def _area(point: Point, found: Sequence[Point]) -> float:
    return max(SMALLEST, LARGEST * point.bytes / max(other.bytes for other in found))


def _name(axes: Axes, renderer: Any, found: Sequence[Point], ink: str) -> None:
    """Write each name where it covers no other name and no marker, as near as it goes."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    scale = axes.figure.dpi / 72
    taken = []
    for point in found:
        x, y = axes.transData.transform((point.x, point.y))
        radius = _radius(point, found) * scale
        taken.append(Bbox.from_extents(x - radius, y - radius, x + radius, y + radius))
    inside = axes.get_window_extent(renderer)
    for point in found:
        texts = []
        for offset in _OFFSETS:
            text = _written(axes, point, offset, _radius(point, found), ink)
            text.update_positions(renderer)
            # Of the words alone, without the line; the page's font may be wider.
            box = Text.get_window_extent(text, renderer).padded(3)
            outside = box.width * box.height - _shared(box, inside)
            lost = 10 * outside + sum(_shared(box, other) for other in taken)  # what is cut off cannot be read at all
            texts.append((lost, text, box))
            if lost == 0:
                break
        best = min(texts, key=lambda each: each[0])
        for each in texts:
            if each is not best:
                each[1].remove()
        taken.append(best[2])


def _written(axes: Axes, point: Point, offset: tuple[int, int], radius: float, ink: str) -> Any:
    """The name beside its marker; a line leads to it where it is not right above, below or beside it."""
    across, up = offset
    far = abs(up) > 1
    led = far or (across != 0 and up != 0)
    text = axes.annotate(
        point.name,
        (point.x, point.y),
        xytext=(across * (radius + 3), up * (radius + (9 if far else 3))),
        textcoords="offset points",
        ha=("right", "center", "left")[across + 1],
        va="center" if up == 0 else "bottom" if up > 0 else "top",
        color=ink,
        fontsize=9,
        fontweight="bold" if point.pareto else "normal",
        parse_math=False,
        arrowprops={"arrowstyle": "-", "color": ink, "lw": 0.7, "shrinkA": 0, "shrinkB": radius} if led else None,
    )
    text.set_in_layout(False)  # or the axes would move after the places were chosen
    return text


def _radius(point: Point, found: Sequence[Point]) -> float:
    return sqrt(_area(point, found) / pi)


def _shared(one: Any, other: Any) -> float:
    """The area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(width, 0) * max(height, 0))


def _inline(svg: str, found: Sequence[Point]) -> str:
    """The `svg` element alone, as wide as there is room, in the page's colour, with words for those who do not see."""
    element = svg[svg.index("<svg") :].replace(INK, "currentColor")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    words = "; ".join(f"{point.name}: {point.y:.1f} % at {point.x:,.4g}" for point in found)
    element = re.sub(r' (?:width|height)="[\d.]+pt"', "", element, count=2)
    return element.replace("<svg", f'<svg role="img" aria-label="Accuracy against latency. {escape(words)}"', 1)
