"""Telling systemd that the program works (`man sd_notify`); nothing where it did not start us."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Sends READY=1 at the first beat and WATCHDOG=1 at later ones, three times in each of the watchdog's periods.

    Args:
        environment: of the process: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "")
        self._pause = int(period) / 1e6 / 3 if ours and period.isdecimal() else float("inf")
        self._next: float | None = None

    def beat(self) -> None:
        """Something that proves the work goes on has just happened. Cheap; call it for every frame."""
        if not self._address:
            return
        now = time.monotonic()
        if self._next is None:
            self._send("READY=1\nWATCHDOG=1")
        elif now >= self._next:
            self._send("WATCHDOG=1")
        else:
            return
        self._next = now + self._pause

    def stopping(self) -> None:
        """The end was asked for."""
        if self._address:
            self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        # A manager that does not listen is no reason to stop the work.
        with suppress(OSError, AttributeError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto(text.encode(), self._address)
