"""An evaluation on the terminal: a line a model, a line a class, and what is to be said in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orilla.cli.console import percent, print_table
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla.evaluation.evaluate import Evaluation
    from orilla.evaluation.intervals import Estimate
    from orilla.evaluation.judgement import Judgement
    from orilla.evaluation.slices import Slices

MOST_CLASSES = 20
MOST_SLICES = 12
NONE = "–"


def print_evaluation(result: Evaluation) -> None:
    """All of it; classes and thresholds are those of the artifact that runs when nobody names one."""
    _print_models(result)
    main = result.artifacts[result.default]
    if len(result.artifacts) > 1:
        click.echo(f"\n{printable(main.artifact)}:")
    if len(result.labels) <= MOST_CLASSES:
        _print_classes(main.judgement)
    for slices in main.judgement.slices:
        _print_slices(slices)
    click.echo(f"\n{threshold_words(main.judgement)}")


def _print_models(result: Evaluation) -> None:
    columns = ("artifact", "n", "top-1", "95 % interval", "balanced", "macro-F1", "agreement")
    rows = [
        (
            printable(entry.artifact),
            str(entry.accuracy.n),
            percent(entry.accuracy.top1),
            f"{percent(entry.accuracy.low)} – {percent(entry.accuracy.high)}",
            percent(entry.judgement.balanced_accuracy.value),
            percent(entry.judgement.macro_f1.value),
            NONE if entry.agreement is None else percent(entry.agreement),
        )
        for entry in result.artifacts
    ]
    print_table(columns, rows, numeric=("n", "top-1", "balanced", "macro-F1", "agreement"))


def _print_classes(judgement: Judgement) -> None:
    columns = ("class", "n", "recall", "95 % interval", "precision", "F1")
    rows = [
        (
            printable(one.label),
            str(one.support),
            NONE if one.recall is None else percent(one.recall.value),
            NONE if one.recall is None else _interval(one.recall),
            NONE if one.precision is None else percent(one.precision),
            NONE if one.f1 is None else percent(one.f1),
        )
        for one in judgement.classes
    ]
    click.echo()
    print_table(columns, rows, numeric=("n", "recall", "precision", "F1"))


def _print_slices(slices: Slices) -> None:
    name = printable(slices.column)
    columns = (name, "n", "top-1", "95 % interval", "balanced", "")
    rows = [
        (
            printable(one.value),
            str(one.n),
            percent(one.accuracy.value),
            _interval(one.accuracy),
            percent(one.balanced_accuracy.value),
            "worse" if one.worse else "",
        )
        for one in slices.slices[:MOST_SLICES]
    ]
    click.echo()
    print_table(columns, rows, numeric=("n", "top-1", "balanced"))
    if len(slices.slices) > MOST_SLICES:
        click.echo(f"… and {len(slices.slices) - MOST_SLICES} more, all better")
    for sentence in slices.findings:
        click.echo(printable(sentence))


def threshold_words(judgement: Judgement) -> str:
    """The proposed threshold and its price, in a sentence or two."""
    thresholds = judgement.thresholds
    proposed = thresholds.proposed
    if proposed is None:
        return f"Not possible with any threshold: {thresholds.wanted}."
    ok = thresholds.ok_class
    option = f"--threshold {proposed.threshold:g}" if ok is None else f"--class-threshold {ok}={proposed.threshold:g}"
    parts = [f"{percent(proposed.coverage)} accepted"]
    if proposed.false_rejects is not None:
        parts.append(f"{percent(proposed.false_rejects.value)} of {'good' if ok else 'right'} ones rejected")
    if proposed.missed is not None:
        parts.append(f"{percent(proposed.missed.value)} of defects missed ({_interval(proposed.missed)})")
    elif proposed.errors is not None:
        parts.append(f"{percent(proposed.errors.value)} of accepted ones wrong ({_interval(proposed.errors)})")
    return printable(f"For {thresholds.wanted}: {option} ({', '.join(parts)}).")


def _interval(estimate: Estimate) -> str:
    return f"{percent(estimate.low)} – {percent(estimate.high)}"
