"""A request's body, within limits of size, time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request


class BodyError(Exception):
    """A body that is not taken: the status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Memory:
    """Bytes that all bodies together may hold. Used in one thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of all bodies that are being read or worked on."""
        return self._held

    @contextmanager
    def share(self) -> Iterator[Share]:
        """A request's share, given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.size

    def take(self, size: int) -> bool:
        """Whether there are so many bytes more."""
        if self._held + size > self._most:
            return False
        self._held += size
        return True


class Share:
    """What one request holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold so many bytes more. Raises BodyError."""
        if not self._memory.take(size):
            raise BodyError(503, "Too many pictures are on their way.")
        self.size += size


async def read_body(request: Request, share: Share, max_bytes: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        BodyError: 413 too large, as its head says or as it arrives; 408 too slow; 503 no memory left for it.
        ClientDisconnect: of starlette.
    """
    too_large = f"The body is larger than {max_bytes} bytes."
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        raise BodyError(413, too_large)
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                if share.size + len(part) > max_bytes:
                    raise BodyError(413, too_large)
                share.grow(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise BodyError(408, f"The body did not arrive within {seconds:g} seconds.") from error
    return b"".join(parts)
