"""What a video file's outer structure says: is it one at all, does it count its frames, and is its end there.

FFmpeg opens a file that was cut off without a word, and prints to the terminal what it finds wrong with others. The few
bytes read here say both beforehand, in the file's own name.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from orilla_runtime.records import dataclass
from orilla_runtime.sources.picture_header import is_text
from orilla_runtime.sources.unreadable import Unreadable

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".avi", ".mkv", ".webm", ".wmv", ".asf", ".flv", ".ogv"}
    | {".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mjpg", ".mjpeg"}
    | {".264", ".h264", ".h265", ".hevc"}
)


@dataclass(frozen=True, slots=True)
class Container:
    """What the container promises.

    counted: the number of frames is stored, not estimated from a duration (of the sound, perhaps).
    cut: bytes at the end are missing.
    seconds: how long it shows, where that is stored; shorter than its frames last when the video was trimmed.
    """

    counted: bool
    cut: bool
    seconds: float | None = None


_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_MATROSKA = b"\x1aE\xdf\xa3"
_OTHER = (
    b"0&\xb2u",
    b"FLV\x01",
    b"OggS",
    b"\0\0\x01\xba",
    b"\0\0\x01\xb3",
    b"\0\0\0\x01",
    b"\0\0\x01",
    b"\xff\xd8\xff",
)


def is_video(start: bytes) -> bool:
    """Whether a file that begins with these bytes (64 are enough) is a video container."""
    return (
        start[4:8] in _MP4_BOXES
        or (start[:4] == b"RIFF" and start[8:12] in {b"AVI ", b"AVIX"})
        or start[:4] == _MATROSKA
        or start.startswith(_OTHER[:5])
    )


def read_container(path: Path) -> Container:
    """The outer structure of a video file.

    Raises:
        Unreadable: empty, text, or an MP4 whose index was never written.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(512)
        size = file.seek(0, os.SEEK_END)
        if not start:
            raise Unreadable("is empty")
        if start[4:8] in _MP4_BOXES:
            return _read_mp4(file, size)
        if start[:4] == b"RIFF":
            return _read_avi(start, size)
        if start[:4] == _MATROSKA:
            return _read_matroska(start, size)
    # A text would make FFmpeg a playlist reader, which opens other files and addresses.
    if is_text(start):
        raise Unreadable("is text, not a video")
    return Container(counted=False, cut=False)


def _read_mp4(file: BinaryIO, size: int) -> Container:
    places = {}
    end = 0
    for kind, start, box_end in _boxes(file, size):
        places[kind], end = start, box_end
    if b"moov" not in places:
        raise Unreadable("has no index (moov box): the recording was not finished, or the file was cut off")
    return Container(counted=b"moof" not in places, cut=end > size, seconds=_mp4_seconds(file, places[b"moov"]))


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each top-level box; the last may end behind the file."""
    at = 0
    for _ in range(1_000_000):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if not kind.isalnum() or 0 < length < 8:
            return  # Bytes behind the last box.
        end = at + length if length else size
        yield kind, at, end
        if end >= size:
            return
        at = end


def _mp4_seconds(file: BinaryIO, moov: int) -> float | None:
    """The movie's duration, which knows of edit lists; frames that a phone trimmed away are still in the index."""
    file.seek(moov + 8)
    head = file.read(40)
    if head[4:8] != b"mvhd" or len(head) < 40:
        return None
    scale, duration = struct.unpack_from(">IQ", head, 28) if head[8] == 1 else struct.unpack_from(">II", head, 20)
    unknown = duration in {0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
    return None if unknown or not scale else duration / scale


def _read_avi(start: bytes, size: int) -> Container:
    if len(start) < 12:
        raise Unreadable("is an AVI that is cut off")
    (promised,) = struct.unpack_from("<I", start, 4)
    # Recorders that were switched off leave 0 or the largest number; then only the frames themselves can tell.
    finished = 0 < promised < 0xFFFFFFFF
    return Container(counted=finished, cut=finished and promised + 8 > size)


def _read_matroska(start: bytes, size: int) -> Container:
    """The one Segment of a Matroska or WebM file says how long it is, unless it was streamed."""
    header_bytes, at = _element_size(start, 4)
    at += header_bytes or 0
    if start[at : at + 4] != b"\x18S\x80g":
        return Container(counted=False, cut=at >= size)
    segment_bytes, at = _element_size(start, at + 4)
    return Container(counted=False, cut=segment_bytes is not None and at + segment_bytes > size)


def _element_size(start: bytes, at: int) -> tuple[int | None, int]:
    """A size whose leading zero bits tell its length; all ones mean that it was not known. And where it ends."""
    first = start[at] if at < len(start) else 0
    length = 9 - first.bit_length()
    value = int.from_bytes(start[at : at + length]) & ((1 << 7 * length) - 1)
    return (None if length > 8 or value == (1 << 7 * length) - 1 else value), at + length
