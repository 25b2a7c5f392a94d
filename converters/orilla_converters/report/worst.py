"""The worst pictures of an artifact: each beside what Keras and the artifact say of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from orilla_converters.report.pictures import thumbnail
from orilla_converters.stability import Worst
from orilla_converters.standing import Standing
from orilla_runtime.labelled.images import LabelledImages

LEAST_ERROR = 0.001
"""Below it nobody sees a difference between two pictures' scores."""


def worst_pictures(row: Standing, images: LabelledImages, labels: Sequence[str]) -> str:
    """The artifact's part of the page; open where it failed or is a default."""
    comparison = row.verdict.comparison
    if comparison is None:
        return ""
    name = escape(row.verdict.recipe.name)
    shown = [worst for worst in comparison.worst if worst.error >= LEAST_ERROR]
    if not shown:
        return f"<p>{name}: no score differs by {LEAST_ERROR} or more.</p>"
    opened = " open" if row.default or row.verdict.shortcomings else ""
    figures = "\n".join(_figure(worst, images, labels) for worst in shown)
    return (
        f"<details{opened}><summary>{name}: errors up to {shown[0].error:.3f}</summary>"
        f'<div class="pictures">\n{figures}\n</div></details>'
    )


def _figure(worst: Worst, images: LabelledImages, labels: Sequence[str]) -> str:
    path = images.paths[worst.index].as_posix()
    truth = "" if images.class_ids is None else _label(labels, int(images.class_ids[worst.index]))
    address, tiny = thumbnail(images.full_path(worst.index))
    shown = escape(truth or path, quote=True)
    mark = ' class="tiny"' if tiny else ""
    picture = f'<img{mark} src="{address}" alt="{shown}" loading="lazy">' if address else "<p>cannot be read</p>"
    known = f"<p>is {escape(truth)}</p>" if truth else ""
    return (
        f"<figure><div>{picture}</div><figcaption><p><small>{escape(path)}</small></p>{known}"
        f"{_scores('Keras', worst.keras, labels)}{_scores('artifact', worst.artifact, labels)}</figcaption></figure>"
    )


def _scores(who: str, best: Sequence[tuple[int, float]], labels: Sequence[str]) -> str:
    items = "".join(
        f"<li><span>{escape(_label(labels, class_id))}</span><span>{score:.3f}</span></li>" for class_id, score in best
    )
    return f'<small>{who}</small><ol class="scores">{items}</ol>'


def _label(labels: Sequence[str], class_id: int) -> str:
    return labels[class_id] if class_id < len(labels) else str(class_id)
