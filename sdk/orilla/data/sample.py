"""What some of the pictures are like: enough to choose the size and the colours of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orilla.data.checking.traits import is_grey
from orilla_runtime.errors import SourceError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.sources.picture import read_picture

SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """`short_side`: the median over the sample, in pixels; `grey`: no picture of the sample has a colour."""

    short_side: int
    grey: bool


def look_at(images: LabelledImages, count: int = SAMPLE) -> Sample | None:
    """Read up to `count` pictures, evenly spread; None where none of them can be read."""
    places = np.unique(np.linspace(0, len(images) - 1, min(count, len(images)), dtype=np.int64))
    sides, grey = [], True
    for place in places:
        try:
            picture = read_picture(images.full_path(int(place)))
        except SourceError:
            continue  # Every unreadable picture is told of when all are read.
        sides.append(min(picture.shape[:2]))
        grey = grey and is_grey(picture)
    return Sample(int(np.median(sides)), grey) if sides else None
