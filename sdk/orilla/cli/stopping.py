"""Ctrl-C, SIGTERM and a terminal that is closed as a wish to stop in good order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PRESSED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Calls `stop` at Ctrl-C, SIGTERM or SIGHUP; a second of the first two interrupts at once. Yields whether one came.

    SIGHUP is left alone where somebody ignores it (`nohup`).
    """
    came = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        # A terminal that closes tells its programs more than once.
        if came.is_set() and number in _PRESSED:
            raise KeyboardInterrupt
        came.set()
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    numbers = [*_PRESSED]
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield came.is_set
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
