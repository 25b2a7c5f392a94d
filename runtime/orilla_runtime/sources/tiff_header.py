"""The size and the kind of samples of a TIFF's first page, classic and BigTIFF."""

from __future__ import annotations

import struct

from orilla_runtime.sources.unreadable import Unreadable

_WIDTH, _HEIGHT, _BITS, _SAMPLE_FORMAT = 256, 257, 258, 339
_SAMPLE_FORMATS = {2: "signed integers", 3: "floating-point numbers", 5: "complex integers", 6: "complex numbers"}
_CODES = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}


def read_tiff(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        Unreadable: samples that have no defined way to 8 bits (floating-point, more than 16 bits), or a damaged page.
        struct.error: the directory of the page lies behind the end of the file.
    """
    tags = _first_page(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise Unreadable("is a damaged TIFF: it names no size")
    samples = tags.get(_SAMPLE_FORMAT, 1)
    if samples in _SAMPLE_FORMATS:
        raise Unreadable(f"is a TIFF of {_SAMPLE_FORMATS[samples]}, which is not supported (save it with 8 or 16 bits)")
    if tags.get(_BITS, 1) > 16:
        raise Unreadable(f"is a TIFF of {tags[_BITS]} bits a sample, which is not supported (save it with 8 or 16)")
    return tags[_WIDTH], tags[_HEIGHT]


def _first_page(data: bytes) -> dict[int, int]:
    """The first value of each integer tag of the first page."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    big = version == 43
    offset = "Q" if big else "I"
    (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    entry = 20 if big else 12
    if at + count * entry > len(data):
        raise Unreadable("is a TIFF that is cut off: its directory is missing")
    tags: dict[int, int] = {}
    for place in range(at, at + count * entry, entry):
        tag, kind, values = struct.unpack_from(order + "HH" + offset, data, place)
        if tag not in {_WIDTH, _HEIGHT, _BITS, _SAMPLE_FORMAT} or kind not in _CODES or values < 1:
            continue
        code, size = _CODES[kind]
        value_at = place + (12 if big else 8)
        if size * values > (8 if big else 4):
            (value_at,) = struct.unpack_from(order + offset, data, value_at)
        (tags[tag],) = struct.unpack_from(order + code, data, value_at)
    return tags
