"""Text on drawings of many pictures: colours, and letters that fit into the room there is."""

from __future__ import annotations

import unicodedata
from typing import Literal

import cv2

from orilla_runtime.sources.base import Image
from orilla_runtime.text import printable

Colour = tuple[int, int, int]
# BGR. White on BACK has a contrast of 17:1, DIM 7:1; the same as on annotated pictures.
BACK: Colour = (28, 24, 21)
CELL: Colour = (44, 39, 35)
TEXT: Colour = (255, 255, 255)
DIM: Colour = (182, 172, 164)
WARNING: Colour = (60, 178, 255)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL = 21.0  # pixels of a capital letter at scale 1
# OpenCV 5 draws Unicode; before, everything but ASCII becomes question marks.
_DRAWS_UNICODE = hasattr(cv2, "FontFace")


def write_text(
    picture: Image,
    text: str,
    at: tuple[int, int],
    height: int,
    colour: Colour,
    room: int,
    *,
    bold: bool = False,
    shorten: Literal["end", "middle"] = "end",
) -> int:
    """Draw one line of text into `picture`, shortened to `room` pixels; gives the pixels that it took.

    at: left end of the base line; height: of a capital letter, in pixels.
    """
    scale, weight = height / _CAPITAL, 2 if bold else 1
    fitting = _shortened(drawn_text(text), room, scale, weight, shorten)
    cv2.putText(picture, fitting, at, _FONT, scale, colour, weight, cv2.LINE_AA)
    return _width(fitting, scale, weight)


def text_width(text: str, height: int, *, bold: bool = False) -> int:
    """Pixels that a line of text takes, as `write_text` draws it."""
    return _width(drawn_text(text), height / _CAPITAL, 2 if bold else 1)


def drawn_text(text: str) -> str:
    """The text in letters that this OpenCV can draw; what it cannot is a `?`, once for a row of such letters."""
    text = printable(text)
    if _DRAWS_UNICODE or text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode()
    return "".join(letter for place, letter in enumerate(plain) if letter != "?" or plain[place - 1 : place] != "?")


def _shortened(text: str, room: int, scale: float, weight: int, where: Literal["end", "middle"]) -> str:
    """The text, or as much of it as fits: its beginning, or its beginning and its end."""
    if _width(text, scale, weight) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if _width(_cut(text, kept, where), scale, weight) <= room else (low, kept - 1)
    return _cut(text, low, where)


def _cut(text: str, kept: int, where: Literal["end", "middle"]) -> str:
    if where == "end":
        return text[:kept].rstrip() + "..."
    tail = kept // 2
    return f"{text[: kept - tail]}...{text[len(text) - tail :]}"


def _width(text: str, scale: float, weight: int) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, weight)[0][0])
