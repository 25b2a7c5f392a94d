"""The tables of the page, as HTML; every label and path is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orilla.evaluation.comparing import Comparison
from orilla.evaluation.evaluate import ArtifactEvaluation
from orilla.evaluation.intervals import Estimate, percent
from orilla.evaluation.judgement import ClassScores, Judgement
from orilla.evaluation.ranking import Ranking
from orilla.evaluation.slices import Slices
from orilla.evaluation.thresholds import Thresholds, Tradeoff

NONE = "–"
MOST_CLASSES = 40
MOST_SLICES = 40
MOST_CONFUSIONS = 12
_P = "p: how likely such a difference is by chance alone"


def table(name: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    """A table that scrolls on a narrow screen; `name` is read out, `heads` are HTML."""
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">\n<table>\n'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def classes(judgement: Judgement, ranking: Ranking | None) -> str:
    """A row a class; of very many the ones that are found least often."""
    rank = {one.class_id: one for one in ranking.classes} if ranking else {}
    shown = list(judgement.classes)
    note = ""
    if len(shown) > MOST_CLASSES:
        there = [one for one in shown if one.support]
        shown = sorted(there, key=lambda one: (one.recall.value if one.recall else 0.0, one.class_id))[:MOST_CLASSES]
        note = (
            f"<p>The {len(shown)} classes that are found least often, of {len(there)} with pictures; "
            "<code>--json --details</code> has all.</p>"
        )
    heads = ["class", "pictures", "recall", "precision", "F1"]
    heads += ["ROC area", "average precision"] if rank else []
    rows = []
    for one in shown:
        cells = [
            str(one.support),
            *_recall(one),
            _cell(_share(one.precision), f"{one.predicted} taken for it"),
            _cell(_share(one.f1)),
        ]
        if rank:
            ranked = rank.get(one.class_id)
            cells += [_cell(f"{ranked.roc_auc:.4f}" if ranked else NONE)]
            cells += [_cell(f"{ranked.average_precision:.4f}" if ranked else NONE)]
        rows.append(_row(one.label, [_cell(cells[0]), *cells[1:]]))
    return note + table("Table of the classes", heads, rows)


def confusions(judgement: Judgement) -> str:
    """The most frequent confusions; empty where there are none."""
    wrong = sorted((cell for cell in judgement.confusion if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell))
    if not wrong:
        return ""
    support = {one.class_id: one.support for one in judgement.classes}
    rows = [
        _row(
            judgement.labels[truth],
            [
                f'<td class="name">{escape(judgement.labels[predicted])}</td>',
                _cell(str(n)),
                _cell(percent(n / support[truth])),
            ],
        )
        for truth, predicted, n in wrong[:MOST_CONFUSIONS]
    ]
    return table(
        "Table of the most frequent confusions",
        ["is", '<span class="name">taken for</span>', "times", "of that class"],
        rows,
    )


def thresholds(found: Thresholds) -> str:
    """The trade-off; the proposed threshold stands out."""
    heads = ["threshold", "accepted", "good parts rejected" if found.ok_class else "right ones rejected"]
    heads += ["defects missed"] if found.ok_class else []
    heads += ["wrong among the accepted"]
    return table("Table of thresholds", heads, (_tradeoff(one, found) for one in found.table))


def _tradeoff(one: Tradeoff, found: Thresholds) -> str:
    proposed = found.proposed is not None and one.threshold == found.proposed.threshold
    cells = [_cell(percent(one.coverage), str(one.accepted)), _estimate(one.false_rejects)]
    cells += [_estimate(one.missed)] if found.ok_class else []
    cells += [_estimate(one.errors)]
    mark = '<br><span class="mark">proposed</span>' if proposed else ""
    return f'<tr{" class=chosen" if proposed else ""}><th scope="row">{one.threshold:g}{mark}</th>{"".join(cells)}</tr>'


def slices(found: Slices) -> str:
    """A row a value, the worst first."""
    heads = [escape(found.column), "pictures", "right", "balanced", f'<abbr title="{_P}">p</abbr>', "p, class by class"]
    rows = [
        _row(
            one.value,
            [
                _cell(str(one.n)),
                _estimate(one.accuracy),
                _estimate(one.balanced_accuracy),
                _cell(_p(one.p), "worse" if one.worse else ""),
                _cell(_p(one.p_within_classes)),
            ],
            "failed" if one.worse else "",
        )
        for one in found.slices[:MOST_SLICES]
    ]
    more = len(found.slices) - MOST_SLICES
    note = f"<p>And {more} more, none of them less often right.</p>" if more > 0 else ""
    return table(f"Table of {found.column}", heads, rows) + note


def artifacts(
    found: Sequence[ArtifactEvaluation], default: int, compared: Sequence[Comparison | None], reference: str
) -> str:
    """A row an artifact of a bundle, each beside the reference."""
    heads = ["artifact", "right", "balanced", "macro-F1", "calibration error", "agreement"]
    heads += [f"against {escape(reference)}", "p"] if any(compared) else []
    rows = []
    for place, (one, beside) in enumerate(zip(found, compared, strict=True)):
        judgement = one.judgement
        accuracy = judgement.accuracy
        cells = [
            _estimate(Estimate(accuracy.top1, accuracy.low, accuracy.high)),
            _estimate(judgement.balanced_accuracy),
            _estimate(judgement.macro_f1),
            _cell(percent(judgement.calibration.ece)),
            _cell(NONE if one.agreement is None else percent(one.agreement)),
        ]
        if any(compared):
            cells += [_cell(NONE), _cell(NONE)] if beside is None else _beside(beside)
        mark = '<br><span class="mark">default</span>' if place == default else ""
        rows.append(f'<tr><th scope="row">{escape(one.artifact)}{mark}</th>{"".join(cells)}</tr>')
    return table("Table of the artifacts", heads, rows)


def _beside(found: Comparison) -> list[str]:
    lost, gained = f"{found.only_old} lost", f"{found.only_new} gained"
    return [_cell(f"{found.accuracy.value * 100:+.2f} points", f"{lost}, {gained}"), _cell(_p(found.p))]


def _recall(one: ClassScores) -> list[str]:
    return [_estimate(one.recall)]


def _row(head: str, cells: Sequence[str], kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<tr{mark}><th scope="row">{escape(head)}</th>{"".join(cells)}</tr>'


def _cell(text: str, small: str = "") -> str:
    return f"<td>{escape(text)}{f'<small>{escape(small)}</small>' if small else ''}</td>"


def _estimate(one: Estimate | None) -> str:
    if one is None:
        return _cell(NONE)
    return _cell(percent(one.value), f"{one.low * 100:.1f} – {one.high * 100:.1f}")


def _share(value: float | None) -> str:
    return NONE if value is None else percent(value)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
