"""One picture file as BGR pixels: upright, three channels, 8 bits; or a reason why not, before memory is spent."""

from __future__ import annotations

import stat
from pathlib import Path

import cv2
import numpy as np

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.base import Image, Shrink
from orilla_runtime.sources.picture_header import PictureHeader, read_header
from orilla_runtime.sources.unreadable import Unreadable

MAX_PIXELS = 100_000_000
"""Pixels of the largest picture that is decoded: 100 megapixels, 300 MB as BGR."""

MAX_BYTES = 512 * 1024 * 1024
"""Bytes of the largest picture file that is read."""


_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def read_picture(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """A picture file as uint8 BGR, height x width x 3, C-contiguous and upright (EXIF orientation applied).

    Grey is spread over three channels, alpha is dropped, 16 bits are scaled to 8; of an animation or a TIFF of several
    pages it is the first. The file's content decides its format, not its name.

    Raises:
        SourceError: no such file, not a regular file, not a picture, cut off, damaged, of a kind that is not
            supported, or larger than `max_pixels`. One line that names the file.
    """
    return decode_picture(read_file(path), str(path), max_pixels=max_pixels)


def decode_picture(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The bytes of a picture file, as `read_picture` would give them; `name` is what an error calls them."""
    return decode_reduced(data, name, None, max_pixels=max_pixels)[0]


def decode_reduced(data: bytes, name: str, shrink: Shrink | None, *, max_pixels: int = MAX_PIXELS) -> tuple[Image, int]:
    """A picture at the part of its size that `shrink` calls enough, and that part: 1 is the whole size.

    Only JPEG is decoded in parts: it stores blocks of frequencies, of which the low ones are the smaller picture,
    without aliasing and for less work. Raises as `read_picture`.
    """
    header = _checked_header(data, name, max_pixels)
    reduction = 1
    if shrink is not None and header.format == "JPEG":
        # EXIF may turn it by a quarter, so both ways must have enough.
        reduction = min(shrink(header.height, header.width), shrink(header.width, header.height))
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduction])
    except (cv2.error, MemoryError) as error:
        raise SourceError(f"{name}: OpenCV cannot decode this {header.format}.") from error
    if image is None:
        raise SourceError(f"{name} is a damaged {header.format}, or of a kind that this OpenCV does not read.")
    return np.ascontiguousarray(image, np.uint8), reduction


def read_file(path: str | Path) -> bytes:
    """The bytes of a regular file. Pipes and devices are refused: reading them might never end.

    Raises:
        SourceError: no such file, not a regular file, not readable, or larger than MAX_BYTES.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise SourceError(f"{path} is {kind}, not a picture file.")
        with path.open("rb") as file:
            # No more than there is: the buffer is made as large as what is asked for. Some file systems say 0.
            data = file.read(min(status.st_size or MAX_BYTES, MAX_BYTES) + 1)
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file.") from error
    except (OSError, ValueError, MemoryError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(f"{path} cannot be read: {reason}.") from error
    if len(data) > MAX_BYTES:
        raise SourceError(f"{path} is larger than {MAX_BYTES // 1024**2} MiB, too large for a picture.")
    return data


def _checked_header(data: bytes, name: str, max_pixels: int) -> PictureHeader:
    if not data:
        raise SourceError(f"{name} is empty.")
    try:
        header = read_header(data)
    except Unreadable as reason:
        raise SourceError(f"{name} {reason}.") from reason
    if header.width < 1 or header.height < 1:
        raise SourceError(f"{name} is a damaged {header.format}: its size is {header.width}x{header.height}.")
    if header.width * header.height > max_pixels:
        raise SourceError(
            f"{name} is a {header.format} of {header.width}x{header.height} pixels, more than the limit of "
            f"{max_pixels / 1e6:g} megapixels."
        )
    return header
