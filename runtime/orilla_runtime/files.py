"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orilla_runtime.errors import SinkError


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yields a path beside `target` to write to; it takes the target's place when the block ends well.

    After an error or an interruption the old file is untouched and the part file is gone.

    Raises:
        SinkError: the folder is missing, cannot be written to, or the disk is full.
    """
    part: Path | None = None
    try:
        part = _part_of(target)
        yield part
        part.replace(target)
    except OSError as error:
        raise SinkError(f"{target}: {error.strerror or error}.", "Write to another place, or free space.") from error
    finally:
        _remove(part)


def require_writable(target: Path) -> None:
    """Refuse now what `replaced` would refuse after minutes of work; nothing is left behind.

    Raises:
        SinkError: as `replaced`.
    """
    part: Path | None = None
    try:
        part = _part_of(target)
        part.touch()
    except OSError as error:
        raise SinkError(f"{target} cannot be written: {error.strerror or error}.", "Choose another folder.") from error
    finally:
        _remove(part)


def _remove(part: Path | None) -> None:
    if part is not None:
        with suppress(OSError):
            part.unlink()


def _part_of(target: Path) -> Path:
    """A name beside `target`; the suffix stays: writers of videos and models choose the format by it."""
    if not target.parent.is_dir():
        raise SinkError(f"{target}: there is no folder {target.parent}.", "Make the folder first.")
    # `.` and `/` have no name.
    if target.is_dir() or not target.name:
        raise SinkError(f"{target} is a folder.", "Give the name of a file.")
    return target.with_name(f".{secrets.token_hex(8)}.part{target.suffix}")
