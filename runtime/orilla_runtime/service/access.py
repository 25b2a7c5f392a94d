"""Who may ask: the token, the name under which the server is reached, and what browsers may do with an answer."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orilla_runtime.errors import UsageError
from orilla_runtime.service.address import Address, is_loopback
from orilla_runtime.service.answers import problem

VARIABLE = "ORILLA_TOKEN"
_SHORTEST = 16
_ADVICE = 'Make one: python3 -c "import secrets; print(secrets.token_urlsafe())" > token.txt'

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that does not say otherwise: another site's page must not embed a camera's picture."""


def read_token(file: Path | None, environment: Mapping[str, str], address: Address) -> str | None:
    """The token from a file or from the variable ORILLA_TOKEN; None where none is given and none is needed.

    Raises:
        UsageError: other machines can reach the address and there is no token, or it is easily guessed.
    """
    token = environment.get(VARIABLE)
    if file is not None:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsageError(f"{file} cannot be read: {reason}.", _ADVICE) from error
    if token is None:
        if address.is_loopback:
            return None
        raise UsageError(
            f"At {address.host} other machines can connect, which needs a token.",
            f"Give --token-file, or the variable {VARIABLE}. {_ADVICE}",
        )
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
        raise UsageError(f"The token needs {_SHORTEST} or more printable ASCII characters.", _ADVICE)
    return token


class Access:
    """The outermost layer of an app: refuses, or passes on and adds the headers that every answer needs.

    Args:
        token: what `Authorization: Bearer` must say; None for no token. Without one, a request must call the server by
            a loopback name: a page of another site can make its own name point here, but cannot change what it says.
        free: paths that need no token.
    """

    def __init__(self, app: ASGIApp, token: str | None, free: frozenset[str]) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = {name: value for name, value in scope["headers"] if name in {b"host", b"authorization"}}
        if self._token is None and not is_loopback(_host(headers.get(b"host", b"localhost"))):
            await problem(421, "Without a token this server answers to localhost alone.")(scope, receive, sealed)
        elif self._token is not None and scope["path"] not in self._free and not self._knows(headers):
            refusal = problem(401, "A token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, sealed)
        else:
            await self._app(scope, receive, sealed)

    def _knows(self, headers: Mapping[bytes, bytes]) -> bool:
        assert self._token is not None
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        # The same time for every wrong token, however much of it is right.
        return hmac.compare_digest(given.strip(), self._token) and kind.lower() == b"bearer"


def _host(header: bytes) -> str:
    text = header.decode("latin-1")
    return text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]
