"""The cells of the page's tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from orilla_converters.stability import Flips
from orilla_converters.standing import Standing
from orilla_runtime.bundle.manifest import Metrics

COLUMNS = (
    *("verdict", "top-1", "points to Keras", "bytes", "latency"),
    *("agreement", "SQNR dB", "cosine", "max abs error", "untied"),
)
NONE = "–"


def columns(timed: bool) -> str:
    """The heads of all columns but the first."""
    return "".join(f'<th scope="col">{name}</th>' for name in COLUMNS if timed or name != "latency")


def caption(rows: Sequence[Standing]) -> str:
    """What the figures were taken on."""
    metrics = next((row.verdict.comparison.metrics for row in rows if row.verdict.comparison), None)
    if metrics is None:
        return "No artifact ran."
    if metrics.keras_accuracy is None:
        return f"Judged on {metrics.n} pictures without labels, against Keras."
    keras = metrics.keras_accuracy
    return f"Judged on {metrics.n} pictures; Keras' top-1 is {keras.top1:.1%} ({keras.low:.1%} – {keras.high:.1%})."


def row(standing: Standing, timed: bool) -> str:
    """One artifact."""
    verdict = standing.verdict
    failed = bool(verdict.shortcomings)
    word = "✗ failed" if failed else "✓ repaired" if verdict.repairs else "✓ passed"
    marks = [name for name, there in (("default", standing.default), ("Pareto", standing.pareto)) if there]
    spans = f'<br><span class="mark">{", ".join(marks)}</span>' if marks else ""
    found = [f'<td class="{"bad" if failed else "good"}">{word}{spans}</td>']
    comparison = verdict.comparison
    size = _cell(f"{len(verdict.data):,}", _ratio(standing.size_ratio, "larger" if standing.larger else ""))
    if comparison is None:
        found += [_cell(NONE), _cell(NONE), size, *[_cell(NONE)] * (6 if timed else 5)]
    else:
        found += _accuracy(comparison.metrics)
        found += [size, *([_latency(standing)] if timed else [])]
        found += [
            _cell(f"{comparison.metrics.agreement:.1%}"),
            _cell("exact" if comparison.metrics.sqnr_db is None else f"{comparison.metrics.sqnr_db:.1f}"),
            _cell(f"{comparison.cosine:.5f}"),
            _cell(f"{comparison.metrics.max_abs_error:.2g}"),
            _cell(f"{comparison.untied:.1%}", f"Keras {comparison.keras_untied:.1%}"),
        ]
    head = f'<th scope="row">{escape(verdict.recipe.name)}<small>{escape(_short(str(verdict.recipe)))}</small></th>'
    return f"<tr{' class=failed' if failed else ''}>{head}{''.join(found)}</tr>"


def _short(recipe: str) -> str:
    return recipe if len(recipe) <= 40 else f"{recipe[:39]}…"


def _accuracy(metrics: Metrics) -> list[str]:
    accuracy, keras = metrics.accuracy, metrics.keras_accuracy
    if accuracy is None or keras is None:
        return [_cell(NONE), _cell(NONE)]
    points = round((accuracy.top1 - keras.top1) * 100, 2)
    interval = f"{accuracy.low * 100:.1f} – {accuracy.high * 100:.1f}"
    return [_cell(f"{accuracy.top1:.1%}", interval), _cell("0" if points == 0 else f"{points:+.2f}")]


def _latency(standing: Standing) -> str:
    latency = standing.latency
    if latency is None:
        return _cell(NONE)
    beside = _ratio(standing.time_ratio, "slower" if standing.slower else "")
    return _cell(f"{latency.median:.3g} ms", f"{latency.low:.3g} – {latency.high:.3g}", beside)


def _ratio(ratio: float | None, word: str) -> str:
    """`0.28x`, of float32, with a word where that is not what it was made for."""
    if ratio is None or ratio == 1:
        return ""
    return f"{ratio:.2f}x{f', {word}' if word else ''}"


def _cell(text: str, *small: str) -> str:
    return f"<td>{escape(text)}{''.join(f'<small>{escape(one)}</small>' for one in small if one)}</td>"


def threshold_columns(rows: Sequence[Standing]) -> str:
    """The heads: each threshold, and on how many pictures Keras reaches it."""
    return "".join(
        f'<th scope="col">at {flips.threshold:g}<small>Keras accepts {flips.accepted} of {flips.n}</small></th>'
        for flips in _first_flips(rows)
    )


def _first_flips(rows: Sequence[Standing]) -> tuple[Flips, ...]:
    return next((row.verdict.comparison.flips for row in rows if row.verdict.comparison), ())


def flips_row(standing: Standing) -> str:
    """One artifact's decisions."""
    comparison = standing.verdict.comparison
    found = () if comparison is None else comparison.flips
    parts = [_cell(str(one.total), _flips_words(one)) for one in found]
    return f'<tr><th scope="row">{escape(standing.verdict.recipe.name)}</th>{"".join(parts)}</tr>'


def _flips_words(flips: Flips) -> str:
    pairs = (("lost", flips.lost), ("gained", flips.gained), ("changed", flips.changed))
    return ", ".join(f"{count} {word}" for word, count in pairs if count)
