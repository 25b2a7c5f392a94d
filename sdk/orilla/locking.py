"""A lock on a file, which ends with its process, however that died."""

from __future__ import annotations

import sys
from typing import BinaryIO

_FAR = 1 << 30
"""Windows locks bytes for readers too: one that no file has leaves its words readable."""


def lock(file: BinaryIO) -> None:
    """Take the lock at once; closing the file gives it back.

    Raises:
        BlockingIOError, PermissionError: somebody else has it. OSError: this file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
