"""A plot twice: as SVG inside a page, in the page's own ink, light or dark; and as PNG on white."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, VIOLET, GREY = "#2f7fd1", "#d9722e", "#2b9a66", "#d0445a", "#8a63d2", "#7d8a99"
"""Of middle lightness: they show on white and on black."""
CYCLE = (BLUE, ORANGE, GREEN, VIOLET, RED, "#b08a1e", "#2a9db5", "#c45aa6")
INK = "#222222"
"""Of text and lines; in the SVG the page's own colour takes its place."""
DOTS_PER_INCH = 160
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "orilla", "font.size": 10, "font.family": "sans-serif"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn plot: `name` is that of its file, `alt` says in words what it shows."""

    name: str
    alt: str
    svg: str
    png: bytes


def drawn(name: str, alt: str, size: tuple[float, float], paint: Callable[[Figure, str], None]) -> Plot:
    """Draw a figure of `size` inches; `paint` is given the figure and the colour of its ink.

    The same figures give the same bytes: no dates, no random ids.
    """
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):
        figure = _figure(size, paint)
        text, image = BytesIO(), BytesIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # everything has its place; to find it again takes as long as to draw
        figure.savefig(image, format="png", dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})
    return Plot(name, alt, _inline(name, alt, text.getvalue().decode()), image.getvalue())


def tidy(axes: Axes, ink: str) -> None:
    """Two spines, a faint grid, everything in the page's ink."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(ink)
    axes.tick_params(colors=ink, which="both", labelsize=9)
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    axes.title.set_color(ink)
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=ink, alpha=0.14, linewidth=0.6)


def legend(axes: Axes, ink: str, **options: Any) -> None:
    """Without a frame, in the page's ink."""
    axes.legend(frameon=False, labelcolor=ink, fontsize=9, **options)


def _figure(size: tuple[float, float], paint: Callable[[Figure, str], None]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    paint(figure, INK)
    return figure


def _inline(name: str, alt: str, svg: str) -> str:
    """The `svg` element alone, as wide as there is room, with ids that no other plot of the page has."""
    element = svg[svg.index("<svg") :].replace(INK, "currentColor")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r"<!--.*?-->", "", element, flags=re.DOTALL)
    element = re.sub(r' (?:width|height)="[\d.]+pt"', "", element, count=2)
    element = re.sub(r'\bid="', f'id="{name}-', element)
    element = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', element)
    element = re.sub(r"url\(#", f"url(#{name}-", element)
    element = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", element).replace("xlink:href", "href")
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
