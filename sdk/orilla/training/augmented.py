"""A picture of what the model sees: some training pictures, and what augmentation makes of them in several epochs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.data.augment import Augment
from orilla.data.pictures import Pictures
from orilla_runtime.files import replaced

PICTURES, EPOCHS = 8, 6
_SIDE, _GAP, _HEAD = 96, 4, 22
_PAPER, _INK = 255, 40


def write_augmented(path: Path, pictures: Pictures, places: NDArray[np.int64], change: Augment | None) -> None:
    """One row a picture, evenly spread over `places`: as it is, then as it is in epochs 1, 2, …

    Raises:
        SinkError: the file cannot be written.
    """
    chosen = places[np.unique(np.linspace(0, len(places) - 1, PICTURES).astype(np.int64))]
    before = pictures.take(chosen)
    columns = [before] + ([change(before, chosen, epoch) for epoch in range(EPOCHS)] if change else [])
    step = _SIDE + _GAP
    sheet = np.full((_HEAD + len(chosen) * step + _GAP, len(columns) * step + _GAP, 3), _PAPER, np.uint8)
    for column, batch in enumerate(columns):
        left = _GAP + column * step
        title = f"epoch {column}" if column else "original"
        cv2.putText(sheet, title, (left, _HEAD - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (_INK,) * 3, 1, cv2.LINE_AA)
        for row, picture in enumerate(batch):
            top = _HEAD + row * step
            sheet[top : top + _SIDE, left : left + _SIDE] = _tile(picture)
    with replaced(path) as part:
        part.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A tensor (grey or RGB) as BGR, every pixel visible where it is small."""
    colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if picture.shape[2] == 1 else cv2.COLOR_RGB2BGR)
    shrinks = picture.shape[0] > _SIDE
    resized = cv2.resize(colour, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)
