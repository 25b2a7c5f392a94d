"""Small pictures inside a page, as data of the page itself."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.picture import read_picture

LONGEST_SIDE = 192
"""Shown at half of that: sharp on a phone."""
TINY = 64
QUALITY = 80


def thumbnail(path: Path) -> tuple[str, bool]:
    """A `data:` address of the picture, made smaller, and whether it is so small that its pixels should show.

    The address is empty where the picture cannot be read.
    """
    try:
        picture = read_picture(path)
    except SourceError:
        return "", False
    longest = max(picture.shape[:2])
    if longest <= TINY:
        return _address("png", cv2.imencode(".png", picture)[1].tobytes()), True
    if longest > LONGEST_SIDE:
        columns, rows = (max(1, round(side * LONGEST_SIDE / longest)) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA).astype(picture.dtype, copy=False)
    return _address("jpeg", cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()), False


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
