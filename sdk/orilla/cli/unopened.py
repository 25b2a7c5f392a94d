"""A source that could not be opened, among others that could."""

from __future__ import annotations

from collections.abc import Iterator

from orilla_runtime.sources.base import Failure, Frame


class Unopened:
    """Yields its one failure; implements `Source`. It is `live` among cameras, since these do not go with files."""

    total = 1
    dropped = 0

    def __init__(self, name: str, error: str, *, live: bool) -> None:
        self.name = name
        self.live = live
        self._error = error

    def __iter__(self) -> Iterator[Frame | Failure]:
        yield Failure(self.name, 0, self._error, "lost" if self.live else "unreadable")

    def close(self) -> None:
        """Nothing is open."""
