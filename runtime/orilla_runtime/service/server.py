"""A server in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from orilla_runtime.service.address import Address
from orilla_runtime.service.connections import ConnectionLimits, Doorman


class Server:
    """Listens from the start, serves in its own thread, touches no signal and no logger of the process.

    Args:
        app: the ASGI app; it sees requests alone.
        address: where; see `address` for the port that was taken in place of 0.
        limits: of connections.

    Raises:
        ServiceError: the address is taken, not allowed or not of this machine.
    """

    def __init__(self, app: ASGIApp, address: Address, limits: ConnectionLimits | None = None) -> None:
        self._doorman = Doorman(limits or ConnectionLimits())
        self._socket = address.listen()
        self.address = Address(address.host, self._socket.getsockname()[1])
        config = uvicorn.Config(
            self._doorman.watch(app),
            http=cast(Any, self._doorman.protocol),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        # A daemon: whatever a client does, the process can end.
        self._thread = threading.Thread(target=self._run, name=f"orilla server {self.address.port}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """True while it serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in the server's thread, when it comes to it; none where it ended."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call)

    def stop(self, grace: float = 0.0) -> None:
        """Take no more connections, and cut those that are left after so many seconds; waits for nothing."""
        self._server.should_exit = True
        self.soon(lambda: None if self._loop is None else _after(self._loop, grace, self._doorman.cut_all))

    def join(self, seconds: float) -> None:
        """Wait for the end, no longer than so many seconds."""
        if self._thread.ident is None:
            self._socket.close()
        elif self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])


def _after(loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]) -> None:
    loop.call_later(seconds, call)
