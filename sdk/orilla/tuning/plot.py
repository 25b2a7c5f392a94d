"""The search as one picture: the best so far over the trials, and the score against each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orilla.tuning.around import MODEL, Space
from orilla.tuning.records import Trial, best_of, default_of, finished
from orilla.tuning.space import Dimension, Range, Value
from orilla_runtime.files import replaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_BLUE, _GREY, _ORANGE, _RED = "#2563a8", "#9aa3ad", "#e08a1e", "#c0392b"


def draw(path: Path, trials: Sequence[Trial], space: Space) -> bool:
    """Write the plot as a PNG; False where no trial has an epoch to show.

    Raises:
        SinkError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [trial for trial in finished(trials) if trial.accuracy is not None]
    if not shown:
        return False
    panels = _panels(space)
    rows = 1 + -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(11, 3.1 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, _COLUMNS)
    low = _floor(shown)
    _draw_course(figure.add_subplot(grid[0, :]), shown, low)
    for place, (title, model, dimension) in enumerate(panels):
        axes = figure.add_subplot(grid[1 + place // _COLUMNS, place % _COLUMNS])
        _draw_dimension(axes, [trial for trial in shown if model in {"", trial.model}], title, dimension, low)
    with replaced(path) as part:
        figure.savefig(part)
    return True


def _panels(space: Space) -> list[tuple[str, str, Dimension | None]]:
    """A title, the model whose trials are shown (all without one), and the dimension (None: which model)."""
    panels: list[tuple[str, str, Dimension | None]] = []
    if len(space.branches) > 1:
        panels.append((MODEL, "", None))
    for branch in space.branches:
        panels += [(space.parameter(branch.model, each.name), branch.model, each) for each in branch.dimensions]
    return panels


def _floor(trials: Sequence[Trial]) -> float:
    """The lowest accuracy that is drawn in its place: one trial that learned nothing must not flatten the others."""
    values = np.array([trial.accuracy for trial in trials])
    first, third = np.quantile(values, (0.25, 0.75))
    return float(max(values.min(), first - 1.5 * max(third - first, 0.02)))


def _draw_course(axes: Axes, trials: Sequence[Trial], low: float) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = [trial.number for trial in trials]
    _points(axes, trials, numbers, low)
    done = [trial for trial in trials if trial.state == "done"]
    if done:
        best = np.maximum.accumulate([100 * (trial.accuracy or 0) for trial in done])
        axes.step([trial.number for trial in done], best, where="post", color=_BLUE, lw=1.2, label="best so far")
    default = default_of(trials)
    if default is not None and default.accuracy is not None:
        axes.axhline(100 * default.accuracy, color=_GREY, lw=0.9, ls=":", label="default recipe")
    axes.set_xlabel("trial", fontsize=9)
    axes.set_ylabel("validation accuracy, %", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False, ncols=4)
    axes.set_title("The search" + (" (▼: below the axis)" if _below(trials, low) else ""), fontsize=10, loc="left")


def _draw_dimension(axes: Axes, trials: Sequence[Trial], title: str, dimension: Dimension | None, low: float) -> None:
    held = [trial for trial in trials if dimension is None or dimension.name in trial.values]
    values = [trial.model if dimension is None else trial.values[dimension.name] for trial in held]
    if isinstance(dimension, Range):
        _points(axes, held, [float(value) for value in values], low)
        _scale(axes, dimension)
    else:
        options = list(dimension.options) if dimension is not None else sorted({str(value) for value in values})
        jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(held))
        _points(axes, held, [_place(options, value) + shift for value, shift in zip(values, jitter, strict=True)], low)
        axes.set_xticks(range(len(options)), [_wrapped(option) for option in options], fontsize=7)
        axes.set_xlim(-0.5, len(options) - 0.5)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_ylabel("%", fontsize=8)


def _scale(axes: Axes, dimension: Range) -> None:
    """The whole range, with few round numbers below it."""
    low, high = float(dimension.low), float(dimension.high)
    if dimension.log:
        axes.set_xscale("log")
        ticks = [float(f"{value:.1g}") for value in np.geomspace(low, high, 5)]
        axes.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)
    else:
        ticks = [float(f"{value:.3g}") for value in np.linspace(low, high, 6)]
        axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _points(axes: Axes, trials: Sequence[Trial], places: Sequence[float], low: float) -> None:
    best = best_of(trials)
    for state, colour, label in (("pruned", _GREY, "pruned"), ("failed", _RED, "failed"), ("done", _BLUE, "")):
        rows = [(x, trial) for x, trial in zip(places, trials, strict=True) if trial.state == state]
        for inside, marker in ((True, "o"), (False, "v")):
            chosen = [(x, trial) for x, trial in rows if (trial.accuracy >= low) is inside]  # type: ignore[operator]
            heights = [max(100 * (trial.accuracy or 0), 100 * low) for _, trial in chosen]
            style: dict[str, Any] = {"label": label} if chosen and inside and label else {}
            axes.scatter([x for x, _ in chosen], heights, s=22, c=colour, marker=marker, alpha=0.75, lw=0, **style)
    for x, trial in zip(places, trials, strict=True):
        if trial is best and trial.accuracy is not None:
            axes.scatter([x], [100 * trial.accuracy], s=90, facecolors="none", edgecolors=_ORANGE, lw=1.8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", lw=0.4, alpha=0.5)


def _below(trials: Sequence[Trial], low: float) -> bool:
    return any(trial.accuracy is not None and trial.accuracy < low for trial in trials)


def _place(options: Sequence[Value], value: Value) -> int:
    return options.index(value) if value in options else -1


def _wrapped(option: Value) -> str:
    """A long choice in lines."""
    return str(option).replace(",", ",\n")
