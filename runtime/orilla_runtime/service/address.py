"""Where a server listens."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from orilla_runtime.errors import ServiceError, UsageError

LOOPBACK = "127.0.0.1"
_BACKLOG = 256
_SPELLING = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.%\w]+\]|[^\[\]:/\s]+):)?(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port; port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`8080` (this machine alone), `0.0.0.0:8080`, `name:8080` or `[::1]:8080`. Raises UsageError."""
        match = _SPELLING.fullmatch(text.strip())
        if match is None or int(match["port"]) > 65535:
            raise UsageError(f"{text!r} is no place to listen at.", "Give PORT or HOST:PORT, for example 8080.")
        return cls((match["host"] or LOOPBACK).strip("[]"), int(match["port"]))

    @property
    def is_loopback(self) -> bool:
        """True where only programs of this machine can connect."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """What a browser takes."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    def listen(self) -> socket.socket:
        """A listening socket: whoever connects from now on is served soon. Raises ServiceError."""
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            raise ServiceError(f"Cannot listen at {self.host}: {error.strerror}.", "Give another host.") from error
        try:
            if os.name == "posix":  # elsewhere it would let two programs listen at one port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise ServiceError(
                f"Cannot listen at {self.host}:{self.port}: {error.strerror}.", "Give another port or host."
            ) from error
        return listener


def is_loopback(host: str) -> bool:
    """Whether a host, as a person or a `Host` header writes it, is this machine by a loopback name or number."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
