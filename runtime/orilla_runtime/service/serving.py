"""`Service`: a model behind HTTP, as a program starts and stops it."""

from __future__ import annotations

from types import TracebackType

from orilla_runtime.service.address import Address
from orilla_runtime.service.app import RequestLimits, service_app
from orilla_runtime.service.connections import ConnectionLimits
from orilla_runtime.service.pool import Pool
from orilla_runtime.service.server import Server

_FINISH, _SAY, _END = 0.4, 0.6, 0.5
"""Seconds from the wish for the end until requests under way are refused, and until connections are cut; and for the
server's last step."""


class Service:
    """Serves until it is closed; the pool is closed with it. `close` takes less than a second.

    Args:
        pool: the model's workers.
        address: where to listen; beyond this machine only with a token, which the caller sees to (`read_token`).
        token: what POST /classify needs.
        limits, connections: see there.

    Raises:
        ServiceError: the address cannot be used.
    """

    def __init__(
        self,
        pool: Pool,
        address: Address,
        *,
        token: str | None = None,
        limits: RequestLimits | None = None,
        connections: ConnectionLimits | None = None,
    ) -> None:
        self._pool = pool
        self.server = Server(service_app(pool, token=token, limits=limits), address, connections)
        self.server.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.address.url

    def close(self) -> None:
        """Refuse what waits, give what is under way a moment, and end; may be called twice."""
        self._pool.refuse()
        self.server.stop(_SAY)
        self._pool.close(_FINISH)
        self.server.join(_END)

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
