"""Pictures out of a stream of bytes, as they come: MJPEG over HTTP, or JPEGs one after the other.

Both readers take pieces of any length, hold at most `max_bytes` and a piece, and find their way again behind damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_PART_BYTES = 32 * 1024 * 1024
"""Bytes of the largest picture of a stream."""

_MAX_HEAD_BYTES = 8 * 1024
_LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*([0-9]{1,12})[ \t]*\r?$")
_FIRST_DELIMITER = re.compile(rb"(?:[\s\S]*?\n)?(--[^\r\n]{1,200})\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class TooLarge(ValueError):  # noqa: N818 - it is caught where the source's name is known
    """A part, or what stands between two parts, is larger than it may be; carries the rest of a sentence."""


class MultipartReader:
    """Splits the body of a `multipart/x-mixed-replace` answer into its parts.

    Servers announce boundaries that they do not send, so the delimiter is taken from the first line that begins with
    `--`. A part is given as soon as it is whole: where its Content-Length says, when nothing but a delimiter follows
    there; else at the next delimiter, or at a JPEG's end.
    """

    def __init__(self, max_bytes: int = MAX_PART_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._delimiter = b""
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The parts that `data` completes. Raises TooLarge."""
        self._buffer += data
        while (part := self._next()) is not None:
            if part:
                yield part
        if len(self._buffer) > self._max_bytes + _MAX_HEAD_BYTES:
            raise TooLarge(f"sends a picture of more than {self._max_bytes / 1024**2:g} MiB")

    def _next(self) -> bytes | None:
        """The next part, empty for one without a body; None until more bytes are there."""
        if not (self._find_first_delimiter() and self._find_delimiter()):
            return None
        head = _HEAD_END.search(self._buffer, len(self._delimiter), len(self._delimiter) + _MAX_HEAD_BYTES)
        if head is None:
            if len(self._buffer) > len(self._delimiter) + _MAX_HEAD_BYTES:
                raise TooLarge("sends headers without an end")
            return None
        start = head.end()
        length = _LENGTH.search(self._buffer, 0, start)
        end = start + int(length[1]) if length is not None else None
        if end is None or end > start + self._max_bytes or not self._may_end(end):
            end = self._search_end(start)
        if end is None or end > len(self._buffer):
            return None
        part = bytes(self._buffer[start:end])
        del self._buffer[:end]
        self._searched = 0
        return part

    def _may_end(self, end: int) -> bool:
        """Whether what is there behind `end`, perhaps nothing yet, is line ends and a delimiter."""
        behind = bytes(self._buffer[end : end + 8 + len(self._delimiter)]).lstrip(b"\r\n")
        return behind.startswith(self._delimiter) or self._delimiter.startswith(behind)

    def _search_end(self, start: int) -> int | None:
        end = self._buffer.find(self._delimiter, max(start, self._searched))
        if end < 0:
            self._searched = len(self._buffer) - len(self._delimiter)
            tail = bytes(self._buffer[max(start, len(self._buffer) - 8) :])
            whole = tail.rstrip(b"\r\n")
            return len(self._buffer) - len(tail) + len(whole) if whole.endswith(_JPEG_END) else None
        if self._buffer[end - 1 : end] == b"\n":
            end -= 2 if self._buffer[end - 2 : end] == b"\r\n" else 1
        return max(start, end)

    def _find_first_delimiter(self) -> bool:
        if not self._delimiter:
            line = _FIRST_DELIMITER.match(self._buffer)
            if line is None:
                if len(self._buffer) > _MAX_HEAD_BYTES:
                    raise TooLarge("sends no stream of pictures: no part begins in its first bytes")
                return False
            self._delimiter = bytes(line[1]).rstrip()
            del self._buffer[: line.start(1)]
        return True

    def _find_delimiter(self) -> bool:
        """Bring the next delimiter to the front of the buffer; what lies before it is damage."""
        at = self._buffer.find(self._delimiter)
        if at < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter))]
            return False
        del self._buffer[:at]
        return True


class JpegReader:
    """Splits JPEGs that follow one another without anything that counts between them, as `ffmpeg -f mjpeg` writes them.

    A picture ends at its end marker; those of thumbnails lie inside segments, which are stepped over.
    """

    def __init__(self, max_bytes: int = MAX_PART_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._at = 0  # Where to look on; 0 until a picture has begun.
        self._in_scan = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pictures that `data` completes. Raises TooLarge."""
        self._buffer += data
        while (picture := self._next()) is not None:
            yield picture
        if len(self._buffer) > self._max_bytes:
            raise TooLarge(f"sends a picture of more than {self._max_bytes / 1024**2:g} MiB")

    def rest(self) -> bytes:
        """What there is of a picture whose end did not come."""
        return bytes(self._buffer) if self._at else b""

    def _next(self) -> bytes | None:
        if not self._at:
            begin = self._buffer.find(_JPEG_BEGIN)
            if begin < 0:
                del self._buffer[: max(0, len(self._buffer) - len(_JPEG_BEGIN) + 1)]
                return None
            del self._buffer[:begin]
            self._at, self._in_scan = 2, False
        while True:
            marker = _JPEG_MARKER.search(self._buffer, self._at)
            if marker is None:
                self._at = max(2, len(self._buffer) - 1)
                return None
            kind = marker[1][0]
            if kind == 0xD9:
                picture = bytes(self._buffer[: marker.end()])
                del self._buffer[: marker.end()]
                self._at = 0
                return picture
            if kind == 0xD8 and self._in_scan:
                # The next picture begins: the end of this one is missing.
                picture = bytes(self._buffer[: marker.start()])
                del self._buffer[: marker.start()]
                self._at = 0
                return picture
            if kind in _WITHOUT_LENGTH or (self._in_scan and kind not in _BETWEEN_SCANS):
                self._at = marker.end()
                continue
            if marker.end() + 2 > len(self._buffer):
                self._at = marker.start()
                return None
            self._in_scan = self._in_scan or kind == 0xDA
            behind = marker.end() + int.from_bytes(self._buffer[marker.end() : marker.end() + 2], "big")
            if behind > len(self._buffer):
                self._at = marker.start()
                return None
            self._at = behind


_JPEG_BEGIN = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
_BETWEEN_SCANS = frozenset({0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
