"""The sink that serves the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orilla_runtime.service.address import Address
from orilla_runtime.service.server import Server
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.page.app import page_app
from orilla_runtime.sinks.page.board import Board

_PATIENCE = 0.5


class PageSink:
    """Shows the newest record of each source to browsers, from a server in a thread of its own.

    A record costs a few microseconds: nothing is drawn or encoded before somebody looks, and then at most 15 pictures a
    second of each source, for all who look together. Browsers ask for each picture, so one that stops reading holds
    one picture of the server's memory for seconds, and the run not at all.

    Args:
        address: where to listen; beyond this machine only with a token.
        token: what everything but the empty page and /healthz needs.
        stale_seconds: age of the newest frame from which /healthz says 503.

    Raises:
        ServiceError: the address cannot be used.
    """

    def __init__(self, address: Address, *, token: str | None = None, stale_seconds: float = 15.0) -> None:
        self._board = Board(stale_seconds)
        self._server = Server(page_app(self._board, token), address)
        self._server.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._server.address.url

    def follow(self, counts: Callable[[], Counts], sources: Sequence[str] = ()) -> None:
        """Show these counts, which also know what was dropped, and live sources of these names in this order."""
        self._board.follow(counts, sources)

    def write(self, record: Record) -> None:
        """Keep the record until the next one of its source."""
        self._board.put(record)

    def finish(self, counts: Counts) -> None:
        """The run is over; the page goes with it."""
        self._board.end(counts)
        self._server.stop()

    def close(self) -> None:
        """End the server; may be called twice."""
        self._server.stop()
        self._server.join(_PATIENCE)
