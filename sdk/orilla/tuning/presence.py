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

from orilla.locking import lock


@contextmanager
def present(folder: Path) -> Iterator[str]:
    """Yields this worker's name; for `lives` it is there until the block or the process ends."""
    folder.mkdir(exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    path = folder / name
    with path.open("wb") as file:
        lock(file)
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
            lock(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def forget(folder: Path, name: str) -> None:
    """Remove the file of a worker that died."""
    with suppress(OSError):
        (folder / Path(name).name).unlink()
