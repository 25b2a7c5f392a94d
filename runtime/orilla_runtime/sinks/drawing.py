"""A picture with its result under it, for people to look at."""

from __future__ import annotations

import unicodedata
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Image
from orilla_runtime.tasks.classification import Classification, Decision, Prediction
from orilla_runtime.text import printable

_ROWS = 3
_MIN_WIDTH = 320
_MIN_HEIGHT = 240
# BGR. White on _BACK has a contrast of 17:1, _DIM 7:1.
_BACK = (28, 24, 21)
_TRACK = (74, 66, 60)
_TEXT = (255, 255, 255)
_DIM = (182, 172, 164)
_BEST = (181, 206, 45)
_OTHER = (134, 122, 112)
_WARNING = (60, 178, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# OpenCV 5 draws Unicode; before, everything but ASCII becomes question marks.
_DRAWS_UNICODE = hasattr(cv2, "FontFace")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are on a drawing, in pixels.

    `width`, `height`: of the room for the picture; `text`: height of a capital letter; `rows`: lines of text, a count.
    """

    width: int
    height: int
    text: int
    rows: int

    @property
    def panel(self) -> int:
        """Height of the panel under the picture."""
        return round(self.text * 1.1) + self.rows * round(self.text * 2.6) if self.rows else 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the whole drawing; both are even, as video codecs want them."""
        return (self.height + self.panel + 1) // 2 * 2, (self.width + 1) // 2 * 2


def layout_for(image: Image, result: Any, max_side: int | None = None) -> Layout:
    """The layout that suits a picture; with `max_side` larger pictures are made smaller."""
    if max_side is not None and max(image.shape[:2]) > max_side:
        image = _shrunk(image, max_side, max_side)
    height, width = _enlarged(image).shape[:2]
    width = max(width, _MIN_WIDTH)
    return Layout(width, height, _text_height(height, width), len(_shown(result)) + (_decision(result) is not None))


def draw(image: Image, result: Any, layout: Layout | None = None) -> Image:
    """A new picture: `image` above a panel of its decision, if there is one, and its best classes; it hides nothing.

    Small pictures are enlarged by whole factors to about 320 pixels. The text grows with the picture. A `layout` that
    was made for another picture keeps the drawing's size: this one is then centred, and made smaller where it must.
    """
    layout = layout or layout_for(image, result)
    canvas = np.full((*layout.size, 3), _BACK, np.uint8)
    room = canvas.shape[0] - layout.panel
    picture = _enlarged(image)
    if picture.shape[0] > room or picture.shape[1] > canvas.shape[1]:
        picture = _shrunk(picture, room, canvas.shape[1])
    rows, columns = picture.shape[:2]
    top, left = (room - rows) // 2, (canvas.shape[1] - columns) // 2
    canvas[top : top + rows, left : left + columns] = picture
    margin, pitch = round(layout.text * 1.1), round(layout.text * 2.6)
    decision = _decision(result)
    first = 0 if decision is None else 1
    if decision is not None and layout.rows:
        _decision_row(canvas, room + margin, margin, layout.text, decision)
    for row, prediction in enumerate(_shown(result)[: max(0, layout.rows - first)]):
        top_of_row = room + margin + (row + first) * pitch
        _row(canvas, top_of_row, margin, layout.text, prediction, best=row == 0 and decision is None)
    return canvas


def _shown(result: Any) -> tuple[Prediction, ...]:
    return result.predictions[:_ROWS] if isinstance(result, Classification) else ()


def _decision(result: Any) -> Decision | None:
    return result.decision if isinstance(result, Classification) else None


def _enlarged(image: Image) -> Image:
    height, width = image.shape[:2]
    factor = min(_MIN_WIDTH // width, 2 * _MIN_HEIGHT // height)
    if factor < 2:
        return image
    return _uint8(cv2.resize(image, (width * factor, height * factor), interpolation=cv2.INTER_NEAREST))


def _shrunk(image: Image, height: int, width: int) -> Image:
    """The picture at the largest size of its shape that fits."""
    scale = min(height / image.shape[0], width / image.shape[1])
    rows, columns = max(1, int(image.shape[0] * scale)), max(1, int(image.shape[1] * scale))
    return _uint8(cv2.resize(image, (min(columns, width), min(rows, height)), interpolation=cv2.INTER_AREA))


def _text_height(height: int, width: int) -> int:
    """Pixels of a capital letter, by the picture's area: a strip of 12000x20 gets the text of its equal in area."""
    return int(np.clip(np.sqrt(height * width) / 40, 10, min(120, width / 24)))


def _row(canvas: Image, top: int, margin: int, text: int, prediction: Prediction, *, best: bool) -> None:
    scale = text / 21.0  # capital letters of this font are 21 pixels high at scale 1
    weight = max(1, round(text / 11)) if best else max(1, round(text / 18))
    colour = _TEXT if best else _DIM
    right = canvas.shape[1] - margin
    score = f"{prediction.score * 100:.1f} %"
    score_width = _width(score, scale, weight)
    baseline = top + text
    room = right - margin - score_width - text
    label = _shortened(_drawable(prediction), room, scale, weight)
    cv2.putText(canvas, label, (margin, baseline), _FONT, scale, colour, weight, cv2.LINE_AA)
    cv2.putText(canvas, score, (right - score_width, baseline), _FONT, scale, colour, weight, cv2.LINE_AA)
    bar_top, bar_bottom = baseline + round(text * 0.55), baseline + round(text * 0.55) + max(2, round(text * 0.28))
    full = right - margin
    filled = round(full * float(np.clip(np.nan_to_num(prediction.score), 0.0, 1.0)))
    canvas[bar_top:bar_bottom, margin:right] = _TRACK
    canvas[bar_top:bar_bottom, margin : margin + filled] = _BEST if best else _OTHER


def _decision_row(canvas: Image, top: int, margin: int, text: int, decision: Decision) -> None:
    """A class in the colour of the best one; `unknown` in a warning's, with the reason beside it as far as it fits."""
    scale, weight = text / 21.0, max(1, round(text / 11))
    is_known = decision.class_id is not None
    room = canvas.shape[1] - 2 * margin
    label = _shortened(_drawable(decision), room, scale, weight)
    where = (margin, top + text)
    cv2.putText(canvas, label, where, _FONT, scale, _BEST if is_known else _WARNING, weight, cv2.LINE_AA)
    used = _width(label, scale, weight) + text
    reason = _plain(decision.reason)
    if is_known or not reason or used >= room:
        return
    small, thin = scale * 0.75, max(1, round(text / 18))
    reason = _shortened(reason, room - used, small, thin)
    cv2.putText(canvas, reason, (margin + used, top + text), _FONT, small, _DIM, thin, cv2.LINE_AA)


def _plain(text: str) -> str:
    """A sentence with labels in it, in letters that this OpenCV can draw; others are left out."""
    text = printable(text)
    return text if _DRAWS_UNICODE else unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _drawable(prediction: Prediction | Decision) -> str:
    """The label in letters that this OpenCV can draw, else the class's number: never a row of question marks."""
    label = printable(prediction.label)
    if _DRAWS_UNICODE or label.isascii():
        return label
    plain = unicodedata.normalize("NFKD", label.replace("ß", "ss")).encode("ascii", "ignore").decode().strip()
    # Accents may go; letters may not.
    letters = sum(character.isalnum() for character in label.replace("ß", "ss"))
    return plain if sum(character.isalnum() for character in plain) >= letters else f"class {prediction.class_id}"


def _shortened(label: str, room: int, scale: float, weight: int) -> str:
    if _width(label, scale, weight) <= room:
        return label
    low, high = 0, len(label)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(label[:middle] + "...", scale, weight) <= room else (low, middle - 1)
    return label[:low].rstrip() + "..."


def _width(text: str, scale: float, weight: int) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, weight)[0][0])


def _uint8(array: Any) -> NDArray[np.uint8]:
    """OpenCV's stubs promise any array; what these calls return is uint8."""
    return array  # type: ignore[no-any-return]
