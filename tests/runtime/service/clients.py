"""Clients of the tests: the standard library's, and bare sockets that misbehave."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds after which a test gives up; no test waits for them to pass."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request: POST with a body, else GET. `body`: bytes, or an iterable, which is sent in chunks."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE)
    try:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}), encode_chunked=chunked)
        reply = connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def connect(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), PATIENCE)


def everything(client: socket.socket) -> bytes:
    """All that the server says until it closes; a reset counts as closed."""
    said = b""
    try:
        while part := client.recv(65536):
            said += part
    except ConnectionError:
        pass
    return said


def send_without_end(client: socket.socket, part: bytes) -> None:
    """Until the server cuts the connection: ConnectionError."""
    while True:
        client.sendall(part)


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)
