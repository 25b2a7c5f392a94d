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
    # The suffix stays: writers of videos and models choose the format by it.
    part = target.with_name(f".{secrets.token_hex(8)}.part{target.suffix}")
    try:
        if not target.parent.is_dir():
            raise SinkError(f"{target}: there is no folder {target.parent}.", "Make the folder first.")
        if target.is_dir():
            raise SinkError(f"{target} is a folder.", "Give the name of a file.")
        yield part
        part.replace(target)
    except OSError as error:
        raise SinkError(f"{target}: {error.strerror or error}.", "Write to another place, or free space.") from error
    finally:
        with suppress(OSError):
            part.unlink()
