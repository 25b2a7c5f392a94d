"""MJPEG over HTTP, read without FFmpeg: every wait has a limit, and nothing is written past Python."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from urllib.parse import urljoin
from urllib.request import (
    AbstractDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    parse_http_list,
    parse_keqv_list,
)

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.address import Address, parse_address
from orilla_runtime.sources.base import Image
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.multipart import MultipartReader, TooLarge
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.picture import decode_picture

_PIECE_BYTES = 256 * 1024
_MOST_REDIRECTS = 3


class HttpConnection:
    """One attempt to read MJPEG from a server; implements `Connection`.

    Basic and digest authentication; credentials are sent only when they are asked for, and only to the address's own
    host. Proxies are not used: a camera is near. A picture is decoded when somebody takes it.
    """

    def __init__(self, address: Address, options: SourceOptions) -> None:
        self._address = address
        self._options = options
        self._lock = threading.Lock()
        self._aborted = False
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._reader = MultipartReader()
        self._parts: deque[bytes] = deque()

    def open(self) -> None:
        """Connect, log in and read the answer's head. Raises Lost."""
        try:
            self._response = self._answer()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Lost(_reason(error, self._address)) from None
        kind = self._response.headers.get_content_type()
        if not kind.startswith("multipart/"):
            raise Lost(f"answers with {self._address.hide(kind)}, not with MJPEG (multipart/x-mixed-replace)")

    def read(self) -> Arrival:
        """The next picture. Raises Lost."""
        assert self._response is not None
        skipped = 0
        try:
            while not self._parts:
                piece = self._response.read1(_PIECE_BYTES)
                if not piece:
                    raise Lost("closed the connection")
                self._parts.extend(self._reader.feed(piece))
        except TooLarge as error:
            raise Lost(str(error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: aborted meanwhile
            raise Lost(_reason(error, self._address)) from None
        # What came in one piece came at the same time, and only the last of it is new.
        while len(self._parts) > 1:
            self._parts.popleft()
            skipped += 1
        data = self._parts.popleft()
        return arrival(lambda: self._decode(data), skipped=skipped)

    def abort(self) -> None:
        """End a wait in `open` or `read`, but for one for the name's address."""
        with self._lock:
            self._aborted = True
            _shut(self._socket)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._aborted = True
            _shut(self._socket)
            if self._socket is not None:
                self._socket.close()
        if self._response is not None:
            self._response.close()

    def _decode(self, data: bytes) -> Image:
        return decode_picture(data, "a picture", max_pixels=self._options.max_pixels)

    def _answer(self) -> http.client.HTTPResponse:
        """The first answer that is neither a redirection nor a demand to log in."""
        address, authorization, asked = self._address, "", False
        for _ in range(_MOST_REDIRECTS + 2):
            response = self._ask(address, authorization)
            if response.status == http.client.OK:
                return response
            location = response.headers.get("Location")
            challenges = response.headers.get_all("WWW-Authenticate") or []
            response.close()
            if response.status in {301, 302, 303, 307, 308} and location:
                address, authorization = _redirected(address, location), ""
            elif response.status == http.client.UNAUTHORIZED and not asked:
                asked = True
                authorization = _authorization(address, challenges)
            elif response.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
                raise Lost(f"refuses the user or the password ({response.status})")
            else:
                raise Lost(f"answers {response.status} {self._address.hide(response.reason)[:80]}".rstrip())
        raise Lost("redirects without an end")

    def _ask(self, address: Address, authorization: str) -> http.client.HTTPResponse:
        plain = socket.create_connection((address.host, address.port), self._options.timeout_seconds)
        self._hold(plain)
        if address.scheme == "https":
            context = ssl.create_default_context()
            if self._options.insecure:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            wrapped = context.wrap_socket(plain, server_hostname=address.host, do_handshake_on_connect=False)
            self._hold(wrapped)
            wrapped.do_handshake()
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.sock = self._socket
        headers = {"Accept": "multipart/x-mixed-replace, */*", "Connection": "close", "User-Agent": "orilla"}
        if authorization:
            headers["Authorization"] = authorization
        connection.request("GET", address.target, headers=headers)
        return connection.getresponse()

    def _hold(self, opened: socket.socket) -> None:
        """Keep a socket where `abort` finds it."""
        with self._lock:
            if self._socket is not None and self._socket is not opened and self._socket.fileno() >= 0:
                self._socket.close()
            self._socket = opened
            if self._aborted:
                raise OSError("aborted")


def _shut(opened: socket.socket | None) -> None:
    """Wake whoever waits for this socket."""
    if opened is not None:
        try:
            # Not TLS's own farewell, which may wait.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)
        except OSError:  # Not connected any more
            return


def _redirected(address: Address, location: str) -> Address:
    """Where the answer points to; credentials go along only to the same host and port, and never out of TLS."""
    try:
        target = parse_address(
            urljoin(f"{address.scheme}://{address.authority_host}:{address.port}{address.target}", location)
        )
    except SourceError:
        raise Lost("redirects to an address that cannot be read") from None
    if target.scheme not in {"http", "https"} or (address.scheme, target.scheme) == ("https", "http"):
        raise Lost(f"redirects to {target.scheme}://, which is not followed")
    same = (target.host, target.port) == (address.host, address.port)
    user, password = (address.user, address.password) if same else ("", "")
    return Address(target.scheme, user, password, target.host, target.port, target.target)


def _authorization(address: Address, challenges: list[str]) -> str:
    """The answer to what the server wants, digest before basic. Raises Lost."""
    if not (address.user or address.password):
        raise Lost(f"wants a user and a password: {address.scheme}://user:password@…")
    digests = [text[7:] for text in challenges if text[:7].lower() == "digest "]
    for digest in digests:
        try:
            found = _Digest(address).answer(parse_keqv_list(parse_http_list(digest)))
        except (ValueError, IndexError, KeyError):  # An algorithm that is not known, or no proper list
            continue
        if found:
            return found
    if any(text[:5].lower() == "basic" for text in challenges):
        from base64 import b64encode

        return f"Basic {b64encode(f'{address.user}:{address.password}'.encode()).decode()}"
    raise Lost("wants to log in in a way that is not supported (basic and digest are)")


class _Digest:
    """The standard library's digest authentication, for one request."""

    def __init__(self, address: Address) -> None:
        self._url = f"{address.scheme}://{address.authority_host}:{address.port}{address.target}"
        passwords = HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, self._url, address.user, address.password)
        self._handler = AbstractDigestAuthHandler(passwords)

    def answer(self, challenge: Mapping[str, str]) -> str | None:
        answer = self._handler.get_authorization(Request(self._url), challenge)
        return f"Digest {answer}" if answer else None


def _reason(error: Exception, address: Address) -> str:
    """The rest of a sentence that begins with the address."""
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, socket.gaierror):
        return f"is not known by that name ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    if isinstance(error, ConnectionError):
        return "closed the connection"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, http.client.HTTPException):
        return f"does not answer as HTTP: {address.hide(' '.join(str(error).split()))[:120] or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be reached: {error.strerror}"
    return f"cannot be reached: {address.hide(' '.join(str(error).split()))[:120]}"
