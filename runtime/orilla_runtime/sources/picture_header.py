"""What a picture file says of itself before anybody decodes it: its format, its size, and whether its end is there.

A decoder trusts the header and allocates what it promises; these few bytes are read first so that a small file cannot
take the memory of the machine, and so that a file that was cut off is not half a picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

from orilla_runtime.records import dataclass
from orilla_runtime.sources.tiff_header import read_tiff
from orilla_runtime.sources.unreadable import Unreadable

SUPPORTED = "JPEG, PNG, GIF, WebP, BMP, TIFF and AVIF"


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Format (`JPEG`, `PNG`, …) and stored size in pixels, before any EXIF rotation."""

    format: str
    width: int
    height: int


def read_header(data: bytes) -> PictureHeader:
    """The header of a picture.

    Raises:
        Unreadable: not a picture, a format that is not supported, or a file whose end or checksums are wrong.
    """
    kind = sniff_picture(data)
    if kind is None:
        raise Unreadable(f"is {_foreign_kind(data)}, not a picture ({SUPPORTED})")
    try:
        width, height = _READERS[kind](data)
    except (struct.error, IndexError, OverflowError) as error:  # OverflowError: a place of 64 bits
        raise Unreadable(f"is a {kind} that is cut off") from error
    return PictureHeader(kind, width, height)


def sniff_picture(data: bytes) -> str | None:
    """The picture format that the first bytes tell, whatever the file's name says; None for anything else.

    64 bytes are enough. A format that is known but not supported (HEIC) is named too: reading it says so.
    """
    if data[4:8] == b"ftyp":
        brands = {data[at : at + 4] for at in range(8, min(64, len(data), data[3] or 64), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if brands & _HEIC_BRANDS else None
    if data[:4] == b"RIFF":
        return "WebP" if data[8:12] == b"WEBP" else None
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_FOREIGN = (
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"P5", "a PGM file"),
    (b"P6", "a PPM file"),
)


def _foreign_kind(data: bytes) -> str:
    if not data:
        return "empty"
    if data[4:8] in {b"ftyp", b"moov", b"mdat"} or (data[:4] == b"RIFF" and data[8:12] == b"AVI "):
        return "a video"
    for magic, kind in _FOREIGN:
        if data.startswith(magic):
            return kind
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<") and b"<svg" in data[:4096].lower():
        return "an SVG drawing"
    return "text" if is_text(data[:512]) else "data of an unknown kind"


def is_text(start: bytes) -> bool:
    """True where these bytes hold no control character but white space."""
    return bool(start) and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start)


_MOST_PARTS = (
    1_000_000  # Segments or chunks; real files have thousands, and a file of nothing else must not take minutes.
)
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def _read_jpeg(data: bytes) -> tuple[int, int]:
    """Walk the segments to the end marker. Thumbnails lie inside segments, so their markers are stepped over."""
    size = (0, 0)
    in_scan = False
    at = 2
    for _ in range(_MOST_PARTS):
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            raise Unreadable("is a JPEG that is cut off: its end is missing")
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            return size
        if marker in _JPEG_WITHOUT_LENGTH or (in_scan and not _is_segment(marker)):
            continue  # Damaged coefficients look like markers; the decoder steps over them too.
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = max(size, (width, height), key=lambda each: each[0] * each[1])
        in_scan = in_scan or marker == 0xDA
        at += length
    raise Unreadable("is a damaged JPEG")


_JPEG_WITHOUT_LENGTH = frozenset({0x01, 0xD8})


def _is_segment(marker: int) -> bool:
    """What may follow between the scans of a progressive JPEG: tables, the next scan, comments."""
    return marker in {0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE} or 0xE0 <= marker <= 0xEF


def _read_png(data: bytes) -> tuple[int, int]:
    """Check the chunks and their checksums to IEND: what libpng would print to the terminal is said here instead."""
    if data[12:16] != b"IHDR":
        raise Unreadable("is a PNG that is cut off" if len(data) < 33 else "is a damaged PNG: its header is missing")
    width, height = struct.unpack_from(">II", data, 16)
    at = 8
    for _ in range(_MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise Unreadable("is a PNG that is cut off: its end is missing")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != checksum:
            raise Unreadable("is a damaged PNG: a checksum is wrong")
        if kind == b"IEND":
            return int(width), int(height)
        at = end
    raise Unreadable("is a damaged PNG")


def _read_gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return int(width), int(height)


def _read_webp(data: bytes) -> tuple[int, int]:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise Unreadable("is a WebP that is cut off: its end is missing")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        sides = data[24:30]
        if len(sides) < 6:
            raise IndexError
        return int.from_bytes(sides[:3], "little") + 1, int.from_bytes(sides[3:], "little") + 1
    raise Unreadable("is a damaged WebP")


def _read_bmp(data: bytes) -> tuple[int, int]:
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    width, height = abs(width), abs(height)
    if compression == 0 and pixels_at + (width * bits + 31) // 32 * 4 * height > len(data):
        raise Unreadable("is a BMP that is cut off: its end is missing")
    return width, height


def _read_avif(data: bytes) -> tuple[int, int]:
    """The largest of the items' sizes: a grid's whole is larger than its tiles."""
    _check_boxes(data)
    if re.search(rb"\0\0\0\x09irot[\x01-\x03\x05-\x07]", data[:65536]) or b"\0\0\0\x09imir" in data[:65536]:
        # OpenCV does not turn it, and a picture that lies on its side must not be classified without a word.
        raise Unreadable("is an AVIF that is to be shown rotated, which is not supported")
    sizes = [
        struct.unpack_from(">II", data, found.end() + 4)
        for found in re.finditer(rb"\0\0\0\x14ispe", data)
        if found.end() + 12 <= len(data)
    ]
    if not sizes:
        raise Unreadable("is a damaged AVIF: it names no size")
    width, height = max(sizes, key=lambda each: each[0] * each[1])
    return int(width), int(height)


def _check_boxes(data: bytes) -> None:
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        elif size == 0:
            return
        if size < 8:
            raise Unreadable("is a damaged AVIF")
        at += size
    if at > len(data):
        raise Unreadable("is an AVIF that is cut off: its end is missing")


def _refuse_heic(_: bytes) -> tuple[int, int]:
    raise Unreadable("is HEIC, which is not supported (save it as JPEG)")


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "GIF": _read_gif,
    "WebP": _read_webp,
    "BMP": _read_bmp,
    "TIFF": read_tiff,
    "AVIF": _read_avif,
    "HEIC": _refuse_heic,
}
