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


class LineFile:
    """A file of whole lines in UTF-8, each handed to the system before the next: a killed run leaves whole lines.

    An old file keeps its content until the first line is written. Where a line cannot be written whole, it is cut.
    Bytes of a name that are no UTF-8 are written as `\\udcXX`, which in JSON is the escape that reads back the same.

    Raises:
        SinkError: the folder is missing, the path is a folder or may not be written; later: the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = -1
        if path.is_dir():
            raise SinkError(f"{path} is a folder.", "Give the name of a file.")
        if not path.parent.is_dir():
            raise SinkError(f"{path}: there is no folder {path.parent}.", "Make the folder first.")
        try:
            # Not truncated here: a run that fails before its first result must leave the old file.
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
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
            self._end += _write_all(self._descriptor, line.encode("utf-8", "backslashreplace"))
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
            raise self._error(error) from error

    def _begin(self) -> None:
        if self._end < 0:
            if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                os.ftruncate(self._descriptor, 0)
            self._end = 0

    def _cut(self) -> None:
        # A pipe or a device cannot be cut.
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)

    def _error(self, error: OSError | ValueError) -> SinkError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SinkError(f"{self.path} cannot be written: {reason}.", "Free space, or write to another place.")


class LineStream:
    """Standard output, or any text stream of the caller's, as a place for whole lines. It is not closed here."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._binary: BinaryIO | None = getattr(stream, "buffer", None)
        # Past Python's buffer: what a broken pipe left there would be tried again, and reported, at exit.
        self._raw = self._binary.raw if isinstance(self._binary, BufferedWriter) else None

    def begin(self) -> None:
        """A stream has no old content."""

    def write(self, line: str) -> None:
        """Write and flush one line.

        Raises:
            StopRun: the reader of the pipe went away.
            SinkError: the stream takes no more (a full disk).
        """
        data = line.encode("utf-8", "backslashreplace")
        try:
            self._stream.flush()
            if self._raw is not None:
                _write_all(self._raw.fileno(), data)
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

    def close(self) -> None:
        """The stream belongs to the caller."""


def _write_all(descriptor: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return len(data)


def open_lines(target: Path | TextIO) -> LineFile | LineStream:
    """A path or a text stream as a place for lines."""
    return LineFile(target) if isinstance(target, Path) else LineStream(target)
