"""Whether a worker still lives: each holds a lock on a file of its own, which ends with its process, however that died.

Nothing has to beat in time: a worker that computes for minutes without letting another thread run is not taken for
dead, and a dead one is known at once.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FAR = 1 << 30
"""Windows locks bytes for readers too: one that no file has leaves its words readable."""


@contextmanager
def present(folder: Path) -> Iterator[str]:
    """Yields this worker's name; for `lives` it is there until the block or the process ends."""
    folder.mkdir(exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    path = folder / name
    with path.open("wb") as file:
        _lock(file)
        try:
            yield name
        finally:
            if sys.platform != "win32":
                path.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def lives(folder: Path, name: str) -> bool:
    """True where the worker of that name holds its file."""
    try:
        with (folder / Path(name).name).open("r+b") as file:
            _lock(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def forget(folder: Path, name: str) -> None:
    """Remove the file of a worker that died."""
    with suppress(OSError):
        (folder / Path(name).name).unlink()


def _lock(file: BinaryIO) -> None:
    """Take the lock or raise OSError at once; closing the file gives it back."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
