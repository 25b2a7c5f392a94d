"""The plots of a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orilla.evaluation.intervals import Cells, percent
from orilla.evaluation.judgement import Judgement
from orilla.evaluation.ranking import Ranking
from orilla.evaluation.report.canvas import BLUE, CYCLE, GREEN, GREY, ORANGE, RED, Plot, drawn, legend, tidy
from orilla.evaluation.slices import Slices
from orilla.evaluation.thresholds import Tradeoff, propose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

MOST_CELLS, MOST_NUMBERS = 60, 24
MOST_CURVES = 6
MOST_BARS = 30
LONGEST_NAME = 18
FEW = 10
SQUARE = (4.4, 4.2)


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """A label that leaves room for the plot; `$` is text and no formula."""
    text = name if len(name) <= most else f"{name[: most - 1]}…"
    return text.replace("$", r"\$")


def confusion(judgement: Judgement) -> Plot | None:
    """The confusion matrix as shares of each true class; None for more classes than a page shows."""
    classes = len(judgement.labels)
    if classes > MOST_CELLS:
        return None
    truth, predicted, n = (np.array(column, np.int64) for column in zip(*judgement.confusion, strict=True))
    counts = Cells(truth, predicted, n, classes).matrix()
    side = min(9.0, max(4.2, 1.6 + 0.42 * classes))
    alt = f"Confusion matrix of {classes} classes on {judgement.n} pictures; {judgement.errors} are off the diagonal."

    def paint(figure: Figure, ink: str) -> None:
        axes = figure.add_subplot()
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        for row, column in np.argwhere(counts):
            right = row == column
            alpha = shares[row, column] ** (1.0 if right else 0.5)
            axes.add_patch(_cell(column, row, BLUE if right else ORANGE, max(0.22, min(1.0, float(alpha)))))
            if classes <= MOST_NUMBERS:
                colour = "white" if alpha > 0.8 else ink
                text = f"{counts[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9 if classes <= 12 else 7)
        names = [shortened(label, 14) for label in judgement.labels]
        size = 9 if classes <= MOST_NUMBERS else 5.5
        axes.set_xticks(
            range(classes), names, rotation=0 if _short(names) else 60, ha="center" if _short(names) else "right"
        )
        axes.set_yticks(range(classes), names)
        axes.set_xlim(-0.5, classes - 0.5)
        axes.set_ylim(classes - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        tidy(axes, ink)
        axes.tick_params(labelsize=size, length=0)
        axes.grid(visible=False)

    return drawn("confusion", alt, (side, side), paint)


def _short(names: Sequence[str]) -> bool:
    return max(map(len, names)) <= 3


def _cell(x: int, y: int, colour: str, alpha: float) -> Patch:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=alpha, linewidth=0)


def reliability(judgement: Judgement) -> Plot:
    """How often pictures with a score are right, and how many have it."""
    found = judgement.calibration
    bins = [one for one in found.bins if one.n]
    alt = (
        f"Reliability: share that is right against the score, in {len(bins)} bins; expected calibration error "
        f"{percent(found.ece)}."
    )

    def paint(figure: Figure, ink: str) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        width = 1 / len(found.bins)
        top.plot([0, 1], [0, 1], color=ink, alpha=0.5, linewidth=1, linestyle=(0, (4, 3)))
        middles = [one.low + width / 2 for one in bins]
        rights = [one.right or 0.0 for one in bins]
        for middle, right, one in zip(middles, rights, bins, strict=True):
            top.bar([middle], [right], width=width * 0.9, color=BLUE, alpha=0.8 if one.n >= FEW else 0.3)
        top.add_patch(_swatch(0.8, "right"))
        if any(one.n < FEW for one in bins):
            top.add_patch(_swatch(0.3, f"right, of fewer than {FEW} pictures"))
        for one in bins:
            score, right = one.score or 0.0, one.right or 0.0
            top.plot([score, score], sorted((score, right)), color=ORANGE, linewidth=2.2, solid_capstyle="butt")
        top.plot([], [], color=ORANGE, linewidth=2.2, label="distance from the score")
        top.set_ylim(0, 1.02)
        top.set_ylabel("share that is right")
        legend(top, ink, loc="upper left")
        bottom.bar(middles, [one.n for one in bins], width=width * 0.9, color=GREY)
        bottom.set_ylabel("pictures")
        bottom.set_xlabel("score of the best class")
        bottom.set_xlim(0, 1)
        for axes in (top, bottom):
            tidy(axes, ink)

    return drawn("reliability", alt, (4.8, 4.4), paint)


def _swatch(alpha: float, label: str) -> Patch:
    """Nothing but an entry of the legend."""
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 0, 0, facecolor=BLUE, alpha=alpha, label=label)


def tradeoff(judgement: Judgement, grid: Sequence[Tradeoff]) -> Plot:
    """What each threshold accepts, rejects and lets through."""
    ok = judgement.thresholds.ok_class
    alt = "Threshold against the share of accepted pictures, of errors among them and of what is rejected though right."

    def paint(figure: Figure, ink: str) -> None:
        axes = figure.add_subplot()
        x = [one.threshold for one in grid]
        axes.plot(x, [100 * one.coverage for one in grid], color=GREY, linewidth=1.6, label="accepted, of all")
        rejected = [np.nan if one.false_rejects is None else 100 * one.false_rejects.value for one in grid]
        axes.plot(
            x,
            rejected,
            color=BLUE,
            linewidth=1.8,
            label="rejected, of the good parts" if ok else "rejected, of those that are right",
        )
        wrong = [one.missed if ok else one.errors for one in grid]
        label = "missed, of the defects" if ok else "wrong, of the accepted"
        axes.plot(
            x, [np.nan if one is None else 100 * one.value for one in wrong], color=RED, linewidth=1.8, label=label
        )
        low = [np.nan if one is None else 100 * one.low for one in wrong]
        high = [np.nan if one is None else 100 * one.high for one in wrong]
        axes.fill_between(x, low, high, color=RED, alpha=0.15, linewidth=0)
        if judgement.thresholds.proposed is not None:
            at = judgement.thresholds.proposed.threshold
            axes.axvline(at, color=ink, linewidth=1, linestyle=(0, (4, 3)))
            near_end = at > 0.8
            axes.annotate(
                f"proposed {at:g}", (at, 50), xytext=(-5 if near_end else 5, 0), textcoords="offset points",
                ha="right" if near_end else "left", color=ink, fontsize=9,
            )  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 102)
        axes.set_xlabel("threshold")
        axes.set_ylabel("%")
        tidy(axes, ink)
        legend(axes, ink, loc="upper center", bbox_to_anchor=(0.5, 1.28), ncols=1)

    return drawn("thresholds", alt, (5.6, 4.2), paint)


def tradeoff_grid(judgement: Judgement) -> tuple[Tradeoff, ...]:
    """The figures at 101 thresholds from 0 to 1."""
    thresholds = judgement.thresholds
    ok = None if thresholds.ok_class is None else (judgement.labels.index(thresholds.ok_class), thresholds.ok_class)
    found = propose(
        judgement.answers.scores,
        judgement.answers.truth,
        false_reject_rate=0.0,
        ok=ok,
        shown=[place / 100 for place in range(101)],
    )
    return found.table


def curves(ranking: Ranking) -> tuple[Plot, ...]:
    """ROC and precision-recall curves of the classes that are told apart worst; empty where no class has others."""
    worst = sorted(ranking.classes, key=lambda one: (one.average_precision, one.label))[:MOST_CURVES]
    if not worst:
        return ()
    areas = "; ".join(f"{one.label} {one.roc_auc:.3f}" for one in worst)
    precisions = "; ".join(f"{one.label} {one.average_precision:.3f}" for one in worst)

    def paint_roc(figure: Figure, ink: str) -> None:
        axes = _unit_square(figure, ink, "false positives", "true positives")
        axes.plot([0, 1], [0, 1], color=ink, alpha=0.4, linewidth=1, linestyle=(0, (4, 3)))
        for one, colour in zip(worst, CYCLE, strict=False):
            axes.plot(one.roc.x, one.roc.y, color=colour, linewidth=1.6, label=shortened(one.label))
        legend(axes, ink, loc="lower right")

    def paint_pr(figure: Figure, ink: str) -> None:
        axes = _unit_square(figure, ink, "recall", "precision")
        for one, colour in zip(worst, CYCLE, strict=False):
            axes.plot(one.pr.x, one.pr.y, color=colour, linewidth=1.6, label=shortened(one.label))
        legend(axes, ink, loc="lower left")

    return (
        drawn("roc", f"ROC curves, with their areas: {areas}.", SQUARE, paint_roc),
        drawn("precision-recall", f"Precision-recall curves, with average precisions: {precisions}.", SQUARE, paint_pr),
    )


def _unit_square(figure: Figure, ink: str, x: str, y: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    tidy(axes, ink)
    return axes


def slice_bars(slices: Slices, name: str) -> Plot:
    """Accuracy of each slice with its interval; the significantly worse ones in red."""
    shown = slices.slices[:MOST_BARS][::-1]
    alt = f"Accuracy by {slices.column}: " + "; ".join(
        f"{one.value} {percent(one.accuracy.value)}" for one in slices.slices[:MOST_BARS]
    )

    def paint(figure: Figure, ink: str) -> None:
        axes = figure.add_subplot()
        for place, one in enumerate(shown):
            colour = RED if one.worse else GREEN
            ends = (100 * one.accuracy.low, 100 * one.accuracy.high)
            axes.plot(ends, [place, place], color=colour, linewidth=3, alpha=0.4, solid_capstyle="round")
            axes.plot([100 * one.accuracy.value], [place], "o", color=colour, markersize=7)
        axes.set_yticks(range(len(shown)), [f"{shortened(one.value)} ({one.n})" for one in shown])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.set_xlim(right=101)
        axes.set_xlabel("right, % (95 % interval)")
        tidy(axes, ink)

    return drawn(name, alt, (5.6, 1.1 + 0.34 * len(shown)), paint)
