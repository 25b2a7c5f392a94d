"""Connections that end: uvicorn has no time limit for a request's head, nor for a client that does not read."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_KEY = "orilla connection"
_LAST_WORDS = 1.0
"""Seconds for a client to take the reason before the connection is cut."""

_SILENT = logging.Logger("uvicorn of orilla", logging.CRITICAL + 1)
"""Not one of the process's loggers: a stranger's bad requests must not fill anybody's log."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """connections: at once. head_seconds: for a request's head, between two requests, and for the rest of an answer
    that was written. request_seconds: from the end of the head to the end of the answer, whatever happens.
    """

    connections: int = 128
    head_seconds: float = 10.0
    request_seconds: float = 60.0


class Doorman:
    """Lets connections in, and puts those out that take too long.

    Where all places are taken, the connection that has waited longest without a request loses its own; so clients
    that connect and say nothing keep nobody out. Used in the server's thread alone.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        """A connection, as uvicorn asks for one."""
        connection = Connection(self)
        connection.inner = H11Protocol(config, server_state, {**app_state, _KEY: connection}, _loop)
        connection.inner.logger = _SILENT
        connection.inner.access_log = False
        return connection

    def watch(self, app: ASGIApp) -> ASGIApp:
        """The app, which tells its connection when a request begins and ends."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            connection: Connection = scope["state"][_KEY]
            connection.begin()
            try:
                await app(scope, receive, send)
            finally:
                connection.end()

        return watched

    def admit(self, connection: Connection) -> bool:
        """Whether there is a place."""
        if len(self._open) >= self.limits.connections:
            longest = next(iter(self._idle), None)
            if longest is None:
                return False
            self.leave(longest)
            longest.cut()
        self._open.add(connection)
        return True

    def idle(self, connection: Connection) -> None:
        """It waits for a request."""
        if connection in self._open:
            self._idle[connection] = None

    def busy(self, connection: Connection) -> None:
        """It has a request."""
        self._idle.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """It is gone."""
        self._idle.pop(connection, None)
        self._open.discard(connection)

    def cut_all(self) -> None:
        """End every connection now."""
        for connection in list(self._open):
            connection.cut()


class Connection(asyncio.Protocol):
    """uvicorn's protocol with a clock beside it."""

    inner: H11Protocol

    def __init__(self, doorman: Doorman) -> None:
        self._doorman = doorman
        self._transport: asyncio.Transport | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._is_refused = self._is_heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._doorman.admit(self):
            self._is_refused = True
            self._say_farewell("503 Service Unavailable", "Too many connections.", "Retry-After: 1\r\n")
            return
        self.inner.connection_made(transport)
        self.end()

    def data_received(self, data: bytes) -> None:
        """Some bytes."""
        if not self._is_refused:
            self._is_heard = True
            self.inner.data_received(data)

    def eof_received(self) -> None:
        """The client says no more; the transport is closed."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_clock()
        self._doorman.leave(self)
        if not self._is_refused:
            self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self.inner.resume_writing()

    def begin(self) -> None:
        """The head of a request is there."""
        self._doorman.busy(self)
        self._set_clock(self._doorman.limits.request_seconds)

    def end(self) -> None:
        """The answer is written; what the client does now is bounded again."""
        self._is_heard = False
        self._doorman.idle(self)
        self._set_clock(self._doorman.limits.head_seconds)

    def cut(self) -> None:
        """End it, whatever is not yet sent."""
        self._stop_clock()
        if self._transport is not None:
            self._transport.abort()

    def _set_clock(self, seconds: float) -> None:
        self._stop_clock()
        if self._transport is not None and not self._transport.is_closing():
            self._clock = asyncio.get_running_loop().call_later(seconds, self._is_too_slow)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _is_too_slow(self) -> None:
        waits_for_head = self.inner.cycle is None and self._is_heard
        if waits_for_head:
            self._say_farewell("408 Request Timeout", "The request took too long to arrive.")
        else:
            self.cut()

    def _say_farewell(self, status: str, reason: str, header: str = "") -> None:
        assert self._transport is not None
        body = f'{{"error": "{reason}"}}\n'
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(f"{head}{header}Connection: close\r\n\r\n{body}".encode())
        self._transport.close()
        self._clock = asyncio.get_running_loop().call_later(_LAST_WORDS, self.cut)
