"""What is odd about a picture file: things that a model never sees, but that tell where a set was put together."""

from __future__ import annotations

import enum
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from orilla_runtime.sources.base import Image
from orilla_runtime.sources.listing import PICTURE_SUFFIXES
from orilla_runtime.sources.picture_header import sniff_picture

_BLANK_DEVIATION = 2.0
_ORIENTATION, _BITS = 0x0112, 0x0102
_SUFFIXES = {
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "PNG": frozenset({".png"}),
    "GIF": frozenset({".gif"}),
    "WebP": frozenset({".webp"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "TIFF": frozenset({".tif", ".tiff"}),
    "AVIF": frozenset({".avif"}),
}


class Trait(enum.IntFlag):
    """Several can be true of one picture."""

    GREY = enum.auto()
    """No pixel has a colour, however the file stores it."""
    CMYK = enum.auto()
    """Four printing inks."""
    ALPHA = enum.auto()
    """Some pixels may be transparent."""
    DEEP = enum.auto()
    """More than 8 bits a channel."""
    PALETTE = enum.auto()
    """Colours from a table of at most 256."""
    TURNED = enum.auto()
    """Stored on its side or mirrored; EXIF says how to show it."""
    SEVERAL = enum.auto()
    """An animation, or a file of several pages."""
    MISNAMED = enum.auto()
    """Its name ends like that of another format."""
    BLANK = enum.auto()
    """Almost one colour: each channel's standard deviation is below 2 of 255."""


def traits_of(data: bytes, path: Path, picture: Image) -> tuple[str, Trait]:
    """The format and the traits of a file that was decoded to `picture` (uint8 BGR, upright)."""
    kind = sniff_picture(data) or ""
    traits = Trait(0)
    if is_grey(picture):
        traits |= Trait.GREY
    if _is_blank(picture):
        traits |= Trait.BLANK
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES and suffix not in _SUFFIXES.get(kind, PICTURE_SUFFIXES):
        traits |= Trait.MISNAMED
    return kind, traits | _stored(data, kind, picture)


def is_grey(picture: Image) -> bool:
    """True where no pixel of a BGR picture has a colour."""
    blue, green, red = picture[..., 0], picture[..., 1], picture[..., 2]
    step = max(1, min(picture.shape[:2]) // 16)
    for part in (slice(None, None, step), slice(None)):  # A few pixels tell most photos.
        if not (np.array_equal(blue[part], green[part]) and np.array_equal(green[part], red[part])):
            return False
    return True


def _is_blank(picture: Image) -> bool:
    return bool(cv2.meanStdDev(picture)[1].max() < _BLANK_DEVIATION)


def _stored(data: bytes, kind: str, picture: Image) -> Trait:
    """What the file's header says; Pillow reads no pixels for it."""
    from PIL import Image as Pillow

    if picture.shape[0] * picture.shape[1] > (Pillow.MAX_IMAGE_PIXELS or 0):
        return Trait(0)  # Pillow would warn of it on the terminal.
    try:
        with Pillow.open(BytesIO(data)) as image:
            traits = _of_mode(image.mode, transparent="transparency" in image.info)
            if image.getexif().get(_ORIENTATION, 1) in range(2, 9):
                traits |= Trait.TURNED
            # A phone's JPEG may hold a second picture for bright screens, which no reader takes for an animation.
            if kind != "JPEG" and getattr(image, "is_animated", False):
                traits |= Trait.SEVERAL
            if _bits(data, kind, image) > 8:
                traits |= Trait.DEEP
            return traits
    except Exception:
        # OpenCV decoded it, which is what counts; whatever else stands in its header stays unknown.
        return Trait(0)


def _of_mode(mode: str, *, transparent: bool) -> Trait:
    traits = Trait(0)
    if mode == "CMYK":
        traits |= Trait.CMYK
    if mode in {"P", "PA"}:
        traits |= Trait.PALETTE
    if mode in {"RGBA", "RGBa", "LA", "La", "PA"} or transparent:
        traits |= Trait.ALPHA
    if mode.startswith(("I", "F")):
        traits |= Trait.DEEP
    return traits


def _bits(data: bytes, kind: str, image: object) -> int:
    """Bits a channel, where Pillow's mode does not tell them."""
    if kind == "PNG":
        return data[24]
    bits = getattr(image, "tag_v2", {}).get(_BITS, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)
