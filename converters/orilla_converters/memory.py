"""How much memory a worker uses, and how much it may."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SHARE = 0.85
"""Of the machine's memory, for all workers together: beyond it the system begins to end processes of its own choice."""
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def default_limit() -> int | None:
    """Bytes that the workers may use together; None where the system does not say what there is."""
    found = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):
        found.append(int(_CONTAINER.read_text()))
    return int(min(found) * SHARE) if found else None


def resident(process: int) -> int | None:
    """Bytes of memory that a process holds; None where the system does not say (macOS, Windows) or it has ended."""
    with suppress(OSError, ValueError, IndexError, AttributeError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * int(os.sysconf("SC_PAGE_SIZE"))
    return None
