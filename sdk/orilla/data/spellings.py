"""One class under two names: labels that differ in capitals, spaces or Unicode form only."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence


def same_spelling(label: str) -> str:
    """What stays of a label where capitals, white space, `_`, `-` and the Unicode form (NFKC) do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return re.sub(r"[\s_-]+", " ", folded).strip()


def two_spellings(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of different labels that are one label, spelled in two ways or more; in the order of `labels`."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        if label:  # an id of a CSV without a name
            spelled[same_spelling(label)].append(label)
    return [tuple(group) for group in spelled.values() if len(group) > 1]
