"""A source that could not be opened, among others that could."""

from __future__ import annotations

from collections.abc import Iterator

from orilla_runtime.sources.base import Failure, Frame


class Unopened:
    """Yields its one failure; implements `Source`."""

    live = False
    total = 1
    dropped = 0

    def __init__(self, name: str, error: str) -> None:
        self.name = name
        self._error = error

    def __iter__(self) -> Iterator[Frame | Failure]:
        yield Failure(self.name, 0, self._error)

    def close(self) -> None:
        """Nothing is open."""
