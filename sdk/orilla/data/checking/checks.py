"""`check_data`: what stands in the way of a good model, found by looking at every picture once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.checking.classes import class_findings
from orilla.data.checking.copies import copy_findings
from orilla.data.checking.duplicates import ALIKE
from orilla.data.checking.files import file_findings
from orilla.data.checking.findings import SEVERITIES, Finding, Severity
from orilla.data.checking.survey import Progress, Survey, survey
from orilla.data.split import Split
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages

_COMMON_SIZES = 5
_MOST_SIDE = 8192


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many pictures a class has, and their share of all, 0 to 1."""

    label: str
    pictures: int
    share: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the readable pictures, in pixels as shown; each tuple holds least, median and largest.

    `common` are the most frequent sizes (width, height, pictures), at most five.
    """

    width: tuple[int, int, int]
    height: tuple[int, int, int]
    short_side: tuple[int, int, int]
    common: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What `check_data` found.

    pictures, readable: counts.
    classes: in the order of their ids; empty for pictures without labels.
    sizes: None where no picture can be read.
    formats: how many pictures of each format, the most frequent first.
    findings: errors first, then warnings, then notes.
    alike_groups: look-alikes, exact copies among them, as relative paths: pictures that belong on one side of a split.
    """

    root: Path
    pictures: int
    readable: int
    classes: tuple[ClassCount, ...]
    sizes: Sizes | None
    formats: Mapping[str, int]
    findings: tuple[Finding, ...]
    alike_groups: tuple[tuple[str, ...], ...]

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return not self.of("error")

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def finding(self, code: str) -> Finding | None:
        """The finding with a code, where there is one."""
        return next((finding for finding in self.findings if finding.code == code), None)

    def as_object(self) -> dict[str, Any]:
        """For JSON: numbers, texts and lists, every path named."""
        return {
            "root": str(self.root),
            "ok": self.ok,
            "pictures": self.pictures,
            "readable": self.readable,
            "classes": [asdict(each) for each in self.classes],
            "sizes": None if self.sizes is None else asdict(self.sizes),
            "formats": dict(self.formats),
            "findings": [finding.as_object() for finding in self.findings],
            "alike_groups": [list(group) for group in self.alike_groups],
        }


def check_data(
    images: LabelledImages,
    split: Split | None = None,
    *,
    image_size: int | None = None,
    alike: float = ALIKE,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at every picture once, on every core, and say what is wrong with the set and what to do about it.

    No pixels are kept: about a kilobyte a picture, with its name. Nothing is changed; no bad picture ends the check.

    Args:
        images: labelled or not.
        split: which pictures train, validate and test; copies on two sides are found with it.
        image_size: side of the model's input in pixels; pictures that are much smaller are found with it.
        alike: the least correlation (0 to 1) of two pictures in 16x16 grey pixels that makes them look-alikes. Coded
            again, resized or a little brightened they are above 0.99; another shot of the same thing is above 0.9.
        progress: called with (pictures done, all of them).

    Raises:
        UsageError: a value out of range.
    """
    if not 0.5 <= alike <= 1:
        raise UsageError(f"alike={alike} is not possible.", "Give a correlation of 0.5 to 1.")
    if image_size is not None and not 1 <= image_size <= _MOST_SIDE:
        raise UsageError(f"image_size={image_size} is not possible.", f"Give 1 to {_MOST_SIDE} pixels.")
    seen = survey(images, progress)
    copies, groups = copy_findings(images, seen, split, alike)
    found = [*file_findings(images, seen, image_size), *class_findings(images), *copies]
    return DataCheck(
        root=images.root,
        pictures=len(images),
        readable=len(seen.readable),
        classes=_classes(images),
        sizes=_sizes(seen),
        formats=dict(Counter(kind for kind in seen.formats if kind).most_common()),
        findings=tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))),
        alike_groups=groups,
    )


def _classes(images: LabelledImages) -> tuple[ClassCount, ...]:
    if images.class_ids is None or not len(images):
        return ()
    ids, counts = np.unique(images.class_ids, return_counts=True)
    names = [str(i) if images.classes is None else images.classes[i] for i in ids]
    return tuple(ClassCount(name, int(n), int(n) / len(images)) for name, n in zip(names, counts, strict=True))


def _sizes(seen: Survey) -> Sizes | None:
    sizes = seen.sizes[seen.readable]
    if not len(sizes):
        return None
    common = Counter(map(tuple, sizes.tolist())).most_common(_COMMON_SIZES)
    return Sizes(
        width=_spread(sizes[:, 0]),
        height=_spread(sizes[:, 1]),
        short_side=_spread(sizes.min(axis=1)),
        common=tuple((width, height, n) for (width, height), n in common),
    )


def _spread(values: NDArray[np.int32]) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())
