"""What pictures tell together: copies and look-alikes, under two labels or on two sides of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from orilla.data.checking.duplicates import Places, alike_groups, equal_groups
from orilla.data.checking.findings import Finding, Severity, count, pictures
from orilla.data.checking.survey import Survey
from orilla.data.checking.traits import Trait
from orilla.data.split import Split
from orilla_runtime.labelled import LabelledImages

Groups = list[Places]
_TEXTS: dict[str, tuple[Severity, str]] = {
    "two_labels": (
        "error",
        "{pictures} with the same pixels under two labels ({groups}). One of the labels is wrong: keep one of each.",
    ),
    "leak": (
        "error",
        "{pictures} with the same pixels on two sides of the split ({groups}). They make the test too easy: keep one "
        "of each, or split by group.",
    ),
    "duplicates": (
        "warning",
        "{pictures} are copies of one another, pixel by pixel ({groups}). Copies count twice: keep one of each.",
    ),
    "alike_two_labels": (
        "warning",
        "{pictures} look alike under two labels ({groups}). Look at them: is one of the labels wrong?",
    ),
    "alike_leak": (
        "warning",
        "{pictures} look alike on two sides of the split ({groups}). One thing photographed twice makes the test too "
        "easy: split by group (`orilla data check --groups FILE.csv` writes them).",
    ),
    "alike": (
        "note",
        "{pictures} look alike ({groups}). Where they show one thing twice, split by group "
        "(`orilla data check --groups FILE.csv` writes them).",
    ),
}


def copy_findings(
    images: LabelledImages, seen: Survey, split: Split | None, alike: float
) -> tuple[list[Finding], tuple[tuple[str, ...], ...]]:
    """The findings about copies, and every group of pictures that belongs on one side of a split (as paths).

    Blank pictures are left out: they all look alike, and have a finding of their own.
    """
    names = [path.as_posix() for path in images.paths]
    among = np.setdiff1d(seen.readable, seen.having(Trait.BLANK))
    equal = equal_groups(seen.digests, among)
    similar = alike_groups(seen.hashes, seen.sketches, among, alike)
    labels = [images.label(place) or "" for place in range(len(images))]
    parts = _parts(names, split)
    # Groups of nothing but copies are told of as copies.
    similar_only = [group for group in similar if len(np.unique(seen.digests[group], axis=0)) > 1]
    found: list[Finding] = []
    for groups, codes in (
        (equal, ("two_labels", "leak", "duplicates")),
        (similar_only, ("alike_two_labels", "alike_leak", "alike")),
    ):
        found += _told(groups, codes, labels, parts, names)
    return found, tuple(tuple(names[place] for place in group) for group in similar)


def _parts(names: Sequence[str], split: Split | None) -> list[str]:
    if split is None:
        return [""] * len(names)
    parts = {path: part for part in ("train", "validation", "test") for path in getattr(split, part)}
    return [parts.get(name, "") for name in names]


def _told(
    groups: Groups, codes: Sequence[str], labels: Sequence[str], parts: Sequence[str], names: Sequence[str]
) -> list[Finding]:
    two_labels, leak, otherwise = codes
    by_label = [group for group in groups if _differ(labels, group)]
    by_part = [group for group in groups if _differ(parts, group)]
    others = [group for group in groups if not (_differ(labels, group) or _differ(parts, group))]
    found = []
    for code, chosen, shown in (
        (two_labels, by_label, lambda place: f"{names[place]} ({labels[place]})"),
        (leak, by_part, lambda place: f"{names[place]} ({parts[place] or 'in no part'})"),
        (otherwise, others, lambda place: names[place]),
    ):
        if chosen:
            found.append(_finding(code, chosen, names, shown))
    return found


def _finding(code: str, groups: Groups, names: Sequence[str], shown: Callable[[int], str]) -> Finding:
    severity, text = _TEXTS[code]
    members = sum(map(len, groups))
    told = text.format(pictures=pictures(members), groups=count(len(groups), "group", "groups"))
    paths = tuple(tuple(names[place] for place in group) for group in groups)
    reasons = () if code in {"duplicates", "alike"} else tuple(_joined(group, shown) for group in groups)
    return Finding(severity, code, told, paths, reasons)


def _joined(group: Places, shown: Callable[[int], str]) -> str:
    named = " = ".join(shown(int(place)) for place in group[:3])
    return f"{named} = … {len(group) - 3:,} more" if len(group) > 3 else named


def _differ(values: Sequence[str], group: Places) -> bool:
    return len({values[place] for place in group}) > 1
