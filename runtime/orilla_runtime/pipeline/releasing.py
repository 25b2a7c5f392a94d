"""Closing what may hang: in threads of its own, and waiting only so long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from orilla_runtime.sources.base import Source
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)


def close_sources(sources: Sequence[Source], seconds: float) -> None:
    """Close every source; one that hangs, or whose reader does, is left behind after so many seconds."""
    # Cameras at once, so that none waits for another; of files there may be thousands, and they close at once.
    groups = [[source] for source in sources] if any(source.live for source in sources) else [list(sources)]
    threads = [threading.Thread(target=_close, args=(group,), name="orilla closer", daemon=True) for group in groups]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError:  # The interpreter is ending and starts no thread any more.
        _close(list(sources))
        return
    join_all(threads, seconds)


def join_all(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for threads to end, no longer than so many seconds in all; never for the calling one."""
    limit = time.monotonic() + seconds
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, limit - time.monotonic()))


def _close(sources: list[Source]) -> None:
    for source in sources:
        try:
            source.close()
        except Exception as error:  # Whatever a driver raises; the others are closed all the same.
            _log.warning("%s could not be closed: %s", printable(source.name), printable(str(error)))
