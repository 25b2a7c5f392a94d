"""The curves of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orilla.evaluation.intervals import percent
from orilla.evaluation.report.canvas import BLUE, GREEN, ORANGE, Plot, drawn, legend, tidy
from orilla.evaluation.signs import place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (4.6, 3.5)


def history_plots(history: Sequence[Mapping[str, Any]], best: object) -> tuple[Plot, ...]:
    """Accuracy and loss of every epoch, phase after phase, with the epoch that was kept; empty without epochs."""
    if not history:
        return ()
    last, kept = history[-1], place_of(best, history)

    def paint_accuracy(figure: Figure, ink: str) -> None:
        axes = _lines(figure, history, "accuracy", 100.0, kept, ink)
        axes.set_ylabel("right, %")
        legend(axes, ink, loc="best")

    def paint_loss(figure: Figure, ink: str) -> None:
        axes = _lines(figure, history, "loss", 1.0, kept, ink)
        axes.set_ylabel("loss, nats")
        legend(axes, ink, loc="best")

    accuracy = f"at the end {percent(last['accuracy'])} in training and {percent(last['val_accuracy'])} in validation"
    loss = f"at the end {last['loss']:.3f} in training and {last['val_loss']:.3f} in validation"
    return (
        drawn("accuracy", f"Accuracy over {len(history)} epochs: {accuracy}.", SIZE, paint_accuracy),
        drawn("loss", f"Loss over {len(history)} epochs: {loss}.", SIZE, paint_loss),
    )


def _lines(
    figure: Figure, history: Sequence[Mapping[str, Any]], key: str, scale: float, kept: int | None, ink: str
) -> Axes:
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    x = list(range(1, len(history) + 1))
    marker = "o" if len(history) < 4 else ""
    for name, label, colour in ((key, "training", BLUE), (f"val_{key}", "validation", ORANGE)):
        values = [scale * one[name] for one in history]
        axes.plot(x, values, color=colour, linewidth=1.8, marker=marker, label=label)
    if kept is not None:
        value = scale * history[kept][f"val_{key}"]
        axes.plot(
            [kept + 1], [value], "o", color=GREEN, markersize=8, fillstyle="none", markeredgewidth=2, label="kept"
        )
    for place in range(1, len(history)):
        if history[place].get("phase") != history[place - 1].get("phase"):
            axes.axvline(place + 0.5, color=ink, alpha=0.5, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, ink)
    return axes
