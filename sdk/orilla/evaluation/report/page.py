"""The page of an evaluation: one HTML file that needs no other and no network, and its plots as PNG beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from orilla.evaluation.comparing import Comparison, compare
from orilla.evaluation.evaluate import REFERENCE_PRECISION, Evaluation
from orilla.evaluation.intervals import percent
from orilla.evaluation.judgement import Judgement
from orilla.evaluation.ranking import Ranking, rank
from orilla.evaluation.report import gallery, plots, tables
from orilla.evaluation.report.canvas import Plot
from orilla.evaluation.report.card import card, data_facts, definitions, read_intended_use, training_facts
from orilla.evaluation.report.history import history_plots
from orilla.evaluation.report.words import Sentence, summary
from orilla.evaluation.signs import readable_history, training_signs
from orilla_runtime.errors import OrillaError, SinkError, UsageError
from orilla_runtime.files import replaced

__all__ = ["check_page", "read_intended_use", "write_report"]

SUFFIX = ".html"
GRADCAM = 8
_SIGNS = {"good": "✓", "bad": "!", "plain": "·"}


@dataclass(slots=True)
class _Page:
    """The sections as they grow, and the plots that stand in them."""

    folder: str
    sections: list[tuple[str, str, str]] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)

    def add(self, anchor: str, title: str, *parts: str) -> None:
        content = "\n".join(part for part in parts if part)
        if content:
            self.sections.append((anchor, title, content))

    def plot(self, plot: Plot) -> str:
        self.plots.append(plot)
        return f'<div class="plot">{plot.svg}</div>'


def check_page(path: str | Path) -> Path:
    """The page's path; a place that cannot take it is found before the work, not after.

    Raises:
        UsageError: another suffix than `.html`. SinkError: the folder is missing, or a file stands in the way.
    """
    page = Path(path)
    if page.suffix.lower() != SUFFIX:
        raise UsageError(f"{page}: a report is an {SUFFIX} file.", f"Name it {page.stem or 'report'}{SUFFIX}.")
    if not page.parent.is_dir():
        raise SinkError(f"{page}: there is no folder {page.parent}.", "Make the folder first.")
    if page.is_dir():
        raise SinkError(f"{page} is a folder.", "Give the name of a file.")
    plots_folder = page.with_suffix("")
    if plots_folder.exists() and not plots_folder.is_dir():
        raise SinkError(
            f"{plots_folder} is a file; the plots go into a folder of that name.", "Name the page otherwise."
        )
    try:
        import matplotlib  # noqa: F401 - only whether they are there
        import sklearn  # noqa: F401
    except ImportError as error:
        raise OrillaError(
            f"A report needs what the desk has: {error}.", "Install it: pip install 'orilla[desk]'"
        ) from error
    return page


def write_report(
    path: str | Path,
    model: str | Path,
    data: str | Path,
    evaluation: Evaluation,
    *,
    intended_use: str = "",
    gradcam: int = GRADCAM,
) -> Path:
    """Write the page to `path`, `NAME.html`, and its plots into `NAME/`; gives the page's path.

    Args:
        model, data: as they were given to `evaluate`.
        intended_use: a text for the model card.
        gradcam: for Keras models, on how many pictures the page shows where the net looked.

    Raises:
        UsageError, SinkError: the page cannot be written there. OrillaError: matplotlib or scikit-learn is missing.
    """
    page = check_page(path)
    text, found = render(Path(model), str(data), evaluation, page.stem, intended_use=intended_use, gradcam=gradcam)
    folder = page.with_suffix("")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: {error.strerror or error}.", "Write to another place, or free space.") from error
    for plot in found:
        with replaced(folder / f"{plot.name}.png") as part:
            part.write_bytes(plot.png)
    with replaced(page) as part:
        # A file name that is no UTF-8 holds lone surrogates.
        part.write_bytes(text.encode("utf-8", "xmlcharrefreplace"))
    return page


def render(
    model: Path, data: str, evaluation: Evaluation, folder: str, *, intended_use: str, gradcam: int
) -> tuple[str, tuple[Plot, ...]]:
    """The page as text, and its plots."""
    main = evaluation.artifacts[evaluation.default]
    judgement = main.judgement
    history = readable_history(evaluation.training)
    signs = training_signs(history, evaluation.training.get("best"))
    ranking = rank(judgement.answers, judgement.labels)
    page = _Page(folder)
    if len(evaluation.artifacts) > 1:
        page.add("artifacts", "Artifacts", _artifacts(evaluation))
    _classes(page, judgement, ranking)
    _pictures(page, evaluation, model, gradcam)
    _scores(page, judgement, ranking)
    for place, slices in enumerate(judgement.slices):
        page.add(
            f"slice-{place}",
            f"By {slices.column}",
            _paragraphs(slices.findings)
            or f"<p>No {escape(slices.column)} is significantly worse than the others.</p>",
            page.plot(plots.slice_bars(slices, f"slice-{place}")),
            tables.slices(slices),
        )
    page.add(
        "training",
        "Training",
        _beside(*map(page.plot, history_plots(history, evaluation.training.get("best")))) if history else "",
        _phases(history),
        _paragraphs([sign.text for sign in signs]),
        definitions(training_facts(evaluation.training)),
    )
    page.add("data", "Data", definitions(data_facts(evaluation, data)))
    page.add("card", "Model card", card(evaluation, judgement, model.name, intended_use))
    template = Template((files(__package__) / "evaluation.html").read_text(encoding="utf-8"))
    text = template.substitute(
        title=escape(f"Evaluation of {model.name}"),
        lead=_lead(evaluation, main.artifact, data),
        note=f"<p>{escape(evaluation.note)}</p>" if evaluation.note else "",
        summary=_summary(summary(evaluation, judgement, signs, trained=len(history) > 0)),
        contents="".join(f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title, _ in page.sections),
        sections="\n".join(_section(*section) for section in page.sections),
        folder=escape(folder),
    )
    return text.replace(" %", "\u00a0%"), tuple(page.plots)


def _lead(evaluation: Evaluation, artifact: str, data: str) -> str:
    who = f" with <code>{escape(artifact)}</code>" if len(evaluation.artifacts) > 1 else ""
    return f"Judged{who} on {len(evaluation.paths)} pictures of <code>{escape(data)}</code>."


def _summary(sentences: Sequence[Sentence]) -> str:
    return "\n".join(
        f'<li class="{one.kind}"><span aria-hidden="true">{_SIGNS[one.kind]}</span>{escape(one.text)}</li>'
        for one in sentences
    )


def _section(anchor: str, title: str, content: str) -> str:
    head = f'<h2 id="{anchor}-title">{escape(title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n{head}\n{content}\n</section>'


def _beside(*parts: str) -> str:
    """One beside the other where there is room, else one below the other."""
    there = [f"<div>{part}</div>" for part in parts if part]
    return f'<div class="beside">{"".join(there)}</div>' if there else ""


def _paragraphs(texts: Sequence[str]) -> str:
    return "".join(f'<p class="finding">{escape(text)}</p>' for text in texts)


def _phases(history: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(str(epoch.get("phase")) for epoch in history))
    if len(names) < 2:
        return ""
    return f"<p><small>Phases, with a dashed line between them: {escape(', '.join(names))}.</small></p>"


def _artifacts(evaluation: Evaluation) -> str:
    found = evaluation.artifacts
    reference = next((one for one in found if one.precision == REFERENCE_PRECISION), None)
    compared: list[Comparison | None] = [
        None if reference is None or one is reference else compare(reference.judgement, one.judgement) for one in found
    ]
    name = "" if reference is None else reference.artifact
    skipped = "".join(
        f"<p><small>{escape(path)} was skipped: {escape(why)}</small></p>" for path, why in evaluation.skipped
    )
    legend = (
        "<p><small>Everything below is about the default one. Agreement: the same best class as the float32 artifact. "
        "Lost and gained: pictures that only one of the two has right; p: McNemar's exact test of these.</small></p>"
    )
    return tables.artifacts(found, evaluation.default, compared, name) + legend + skipped


def _classes(page: _Page, judgement: Judgement, ranking: Ranking) -> None:
    matrix, most = plots.confusion(judgement), tables.confusions(judgement)
    drawn = "" if matrix is None else page.plot(matrix) + _MATRIX_WORDS
    title = "Confusion matrix" if drawn else "Confusions"
    page.add("confusion", title, _beside(drawn, most and f"<h3>What is taken for what</h3>{most}"))
    legend = (
        "<p><small>Recall: of the pictures that are it, the share that is found, with its 95&nbsp;% interval (Wilson). "
        "Precision: of the pictures taken for it, the share that is it. F1: their harmonic mean.</small></p>"
    )
    page.add("classes", "Classes", tables.classes(judgement, ranking), legend)


def _pictures(page: _Page, evaluation: Evaluation, model: Path, gradcam: int) -> None:
    judgement = evaluation.artifacts[evaluation.default].judgement
    if evaluation.images is not None and judgement.mistakes:
        shown = len(judgement.mistakes)
        words = f"The {shown} surest of {judgement.errors}" if shown < judgement.errors else f"All {shown}"
        page.add(
            "mistakes",
            "Worst mistakes",
            f"<p>{words}, with the scores of the two classes. Some may be mistakes of the labels.</p>",
            f'<div class="pictures">{gallery.mistakes(judgement, evaluation.images)}</div>',
        )
    if model.suffix == ".keras":
        pairs = gallery.looked_at(evaluation, model, gradcam)
        page.add("gradcam", "Grad-CAM", pairs and f"{_GRADCAM_WORDS}<div class='pictures pairs'>{pairs}</div>")


_MATRIX_WORDS = (
    "<p><small>Each row is a true class. Blue: found; orange: taken for another one. Colours are shares of the row."
    "</small></p>"
)
_GRADCAM_WORDS = (
    "<p>Where the net looked: each picture as it gets it, and what spoke for the class that it says, the brighter the "
    "more. A net that looks beside the thing has learned something else.</p>"
)


def _scores(page: _Page, judgement: Judgement, ranking: Ranking) -> None:
    thresholds = judgement.thresholds
    accepted = f"says {escape(thresholds.ok_class)} and" if thresholds.ok_class else "has a class that"
    page.add(
        "thresholds",
        "Threshold",
        f"<p>A picture is accepted where the net {accepted} reaches the threshold. "
        f"Wanted: {escape(thresholds.wanted)}.</p>",
        _beside(page.plot(plots.tradeoff(judgement, plots.tradeoff_grid(judgement))), tables.thresholds(thresholds)),
    )
    found = judgement.calibration
    way = "above" if found.overconfidence > 0 else "below"
    words = (
        f"<p>Whether the scores mean what they say: of the pictures with the score 0.8, 80&nbsp;% should be right. "
        f"Expected calibration error {percent(found.ece)} in {len(found.bins)} bins; mean score "
        f"{abs(found.overconfidence) * 100:.1f} points {way} the share that is right; Brier score {found.brier:.4f}; "
        f"negative log-likelihood {found.nll:.4f} nats.</p>"
    )
    page.add("calibration", "Calibration", _beside(page.plot(plots.reliability(judgement)), words))
    drawn = plots.curves(ranking)
    if drawn:
        page.add("ranking", "ROC and precision-recall", _ranking_words(ranking), _beside(*map(page.plot, drawn)))


def _ranking_words(ranking: Ranking) -> str:
    shown = min(len(ranking.classes), plots.MOST_CURVES)
    which = "all classes" if shown == len(ranking.classes) else f"the {shown} classes with the least average precision"
    return (
        f"<p>One class against all others, for {which}. Area under the ROC curve {ranking.macro_roc_auc:.4f} and "
        f"average precision {ranking.macro_average_precision:.4f} as means over classes; "
        f"{ranking.micro_roc_auc:.4f} and {ranking.micro_average_precision:.4f} over all pairs of picture and class."
        "</p>"
    )
