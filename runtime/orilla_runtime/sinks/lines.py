"""A file or a stream that takes whole lines only: what JSONL and CSV share."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO, TextIO

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import StopRun

_LONGEST_LINE = 16 * 1024 * 1024
"""Bytes at a file's end among which its last whole line is looked for."""


class LineFile:
    """A file of whole lines in UTF-8, each handed to the system before the next: a killed run leaves whole lines.

    An old file keeps its content until the first line is written. Where a line cannot be written whole, it is cut.
    Bytes of a name that are no UTF-8 are written as `\\udcXX`, which in JSON is the escape that reads back the same.

    Args:
        path: of the file.
        append: add to an old file; of its last line, where a power cut left only a part, nothing is kept. When the file
            was taken away meanwhile, to be archived perhaps, the next line begins a new one.
        head: the first line of every file, with its line end.

    Raises:
        SinkError: the folder is missing, the path is a folder or may not be written; later: the disk is full.
    """

    def __init__(self, path: Path, *, append: bool = False, head: str = "") -> None:
        self.path = path
        self._append = append
        self._head = _encoded(head)
        self._end = -1
        self._is_regular = True
        if path.is_dir():
            raise SinkError(f"{path} is a folder.", "Give the name of a file.")
        if not path.parent.is_dir():
            raise SinkError(f"{path}: there is no folder {path.parent}.", "Make the folder first.")
        try:
            self._descriptor = self._opened()
        except (OSError, ValueError) as error:
            raise self._error(error) from error

    def write(self, line: str) -> None:
        """Write one line; it brings its own line end.

        Raises:
            SinkError: it could not be written; the file ends with the line before it.
            StopRun: the file is a pipe and its reader went away.
        """
        try:
            self._begin()
            self._put(_encoded(line))
        except BrokenPipeError as error:
            raise StopRun(str(self.path)) from error
        except OSError as error:
            self._cut()
            raise self._error(error) from error
        except BaseException:  # Ctrl-C in the middle of a line
            self._cut()
            raise

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)

    def begin(self) -> None:
        """Drop the old content, also where no line will follow."""
        try:
            self._begin()
        except OSError as error:
            self._cut()
            raise self._error(error) from error

    def _opened(self) -> int:
        # Not truncated here: a run that fails before its first result must leave the old file. O_APPEND, so that lines
        # of two runs into one file stand one after the other.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        return os.open(self.path, flags, 0o666)

    def _begin(self) -> None:
        """Before each line."""
        if self._end < 0 or (self._append and self._is_regular):
            self._find_end()
        if self._end == 0 and self._head:
            self._put(self._head)

    def _find_end(self) -> None:
        """Where the next line goes: other programs may have taken the file away, emptied it or added to it."""
        status = os.fstat(self._descriptor)
        self._is_regular = stat.S_ISREG(status.st_mode)
        if self._end >= 0 and self._is_another(status):
            descriptor, self._descriptor = self._descriptor, self._opened()
            os.close(descriptor)
            self._end, status = -1, os.fstat(self._descriptor)
        if not self._is_regular:
            self._end = 0
        elif self._end >= 0:
            self._end = status.st_size
        else:
            self._end = self._whole(status.st_size) if self._append else 0
            if self._end != status.st_size:
                os.ftruncate(self._descriptor, self._end)

    def _is_another(self, status: os.stat_result) -> bool:
        """Whether the path leads to another file by now, or to none."""
        try:
            there = os.stat(self.path)  # noqa: PTH116 - once a line; a Path costs as much again
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (status.st_dev, status.st_ino)

    def _whole(self, size: int) -> int:
        """How many bytes of the file are whole lines."""
        begin = max(0, size - _LONGEST_LINE)
        with self.path.open("rb") as file:
            file.seek(max(0, size - 1))
            if file.read(1) == b"\n":
                return size
            file.seek(begin)
            end = file.read(size - begin).rfind(b"\n") + 1
        return begin + end if end or not begin else size

    def _put(self, data: bytes) -> None:
        _write_all(self._descriptor, data)
        self._end += len(data)

    def _cut(self) -> None:
        # A pipe or a device cannot be cut.
        if self._end >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)

    def _error(self, error: OSError | ValueError) -> SinkError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SinkError(f"{self.path} cannot be written: {reason}.", "Free space, or write to another place.")


class LineStream:
    """Standard output, or any text stream of the caller's, as a place for whole lines. It is not closed here.

    A stream cannot be cut: a line of which a part was written before the disk was full is completed first.
    """

    def __init__(self, stream: TextIO, *, head: str = "") -> None:
        self._stream = stream
        self._head = _encoded(head)
        self._torn = (b"", b"")
        self._binary: BinaryIO | None = getattr(stream, "buffer", None)
        # Past Python's buffer: what a broken pipe left there would be tried again, and reported, at exit.
        self._raw = self._binary.raw if isinstance(self._binary, BufferedWriter) else None

    def begin(self) -> None:
        """A stream has no old content; its first line is due also where no other will follow."""
        if self._head:
            self._put(self._head)
            self._head = b""

    def write(self, line: str) -> None:
        """Write and flush one line.

        Raises:
            StopRun: the reader of the pipe went away.
            SinkError: the stream takes no more (a full disk).
        """
        self.begin()
        self._put(_encoded(line))

    def _put(self, data: bytes) -> None:
        try:
            self._stream.flush()
            if self._raw is not None:
                self._write_raw(self._raw.fileno(), data)
            elif self._binary is not None:
                self._binary.write(data)
                self._binary.flush()
            else:
                self._stream.write(data.decode())
                self._stream.flush()
        except BrokenPipeError as error:
            raise StopRun("the reader went away") from error
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SinkError(f"The output stream cannot be written: {reason}.", "Free space.") from error

    def _write_raw(self, descriptor: int, line: bytes) -> None:
        torn, rest = self._torn
        data = rest if torn == line else rest + line
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            self._torn = (line, bytes(left)) if left and (rest or len(left) < len(data)) else (b"", b"")

    def close(self) -> None:
        """The stream belongs to the caller."""


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace")


def open_lines(target: Path | TextIO, *, append: bool = False, head: str = "") -> LineFile | LineStream:
    """A path or a text stream as a place for lines; see there."""
    if isinstance(target, Path):
        return LineFile(target, append=append, head=head)
    return LineStream(target, head=head)
