"""What the labels tell: classes with few pictures, one class that is most of them, one class under two names."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orilla.data.checking.findings import Finding, each, pictures
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.labelled.rows import spelled_alike

_FEW = 10
_SPLIT = 3
_MOST_SHARE = 0.6
_MOST_RATIO = 10
_LISTED = 5


def class_findings(images: LabelledImages) -> Iterator[Finding]:
    """The findings about labels, one by one; none without labels."""
    if images.class_ids is None or not len(images):
        return
    ids, counts = np.unique(images.class_ids, return_counts=True)
    names = {int(i): str(i) if images.classes is None else images.classes[i] for i in ids}
    labels = list(names.values())
    present = (tuple(label for label in group if label in labels) for group in spelled_alike(images))
    if groups := [group for group in present if len(group) > 1]:
        told = "; ".join(" / ".join(map(repr, group)) for group in groups[:_LISTED])
        text = f"One class under two names, perhaps: {told}. Spell them the same, else they are learned as two."
        yield Finding("warning", "two_spellings", text, tuple(_paths_of(images, names, group) for group in groups))
    if len(ids) == 1:
        text = f"All pictures have one label, {labels[0]!r}. A classifier needs two classes or more."
        yield Finding("error", "one_class", text)
        return
    for code, least, most, consequence in (
        ("too_few", 1, _SPLIT - 1, "Too few to train, validate and test: add pictures, or leave the class out."),
        ("few", _SPLIT, _FEW - 1, "A figure from so few says little: add pictures."),
    ):
        small = [(names[int(i)], int(n), int(i)) for i, n in zip(ids, counts, strict=True) if least <= n <= most]
        if small:
            told = ", ".join(f"{name!r} has {pictures(n)}" for name, n, _ in small[:_LISTED])
            more = f" and {len(small) - _LISTED} more classes" if len(small) > _LISTED else ""
            members = np.isin(images.class_ids, [place for *_, place in small])
            paths = each([images.paths[place].as_posix() for place in np.flatnonzero(members)])
            yield Finding("warning", code, f"{told}{more}. {consequence}", paths)
    yield from _imbalance(labels, counts, len(images))


def _paths_of(images: LabelledImages, names: dict[int, str], group: tuple[str, ...]) -> tuple[str, ...]:
    """One picture of each spelling: enough to find the folder or the line of the table."""
    assert images.class_ids is not None
    ids = [next(i for i, name in names.items() if name == label) for label in group]
    return tuple(images.paths[int(np.flatnonzero(images.class_ids == i)[0])].as_posix() for i in ids)


def _imbalance(labels: list[str], counts: NDArray[np.intp], total: int) -> Iterator[Finding]:
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    share = counts[largest] / total
    if share <= max(_MOST_SHARE, 1 / len(labels)) and counts[largest] < _MOST_RATIO * counts[smallest]:
        return
    text = (
        f"{labels[largest]!r} is {share:.0%} of the pictures ({counts[largest]:,}), {labels[smallest]!r} has "
        f"{counts[smallest]:,}. A model that always says {labels[largest]!r} is right {share:.0%} of the time: weigh "
        "the classes in training, and judge by the recall of each."
    )
    yield Finding("warning", "imbalance", text)
