"""Addresses of streams: their parts, and how they are shown without what is secret in them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from orilla_runtime.errors import SourceError
from orilla_runtime.records import dataclass

# Greedy up to the last @, because passwords hold any sign, @ and / among them.
_CREDENTIALS = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_KEPT_IN_TARGET = "%/:=&?~+!$,;'@()*[]"
_LONGEST = 4096


def is_address(text: str) -> bool:
    """`rtsp://…`, `http://…` and the like; a scheme has two letters or more, a Windows drive one."""
    return _ADDRESS.match(text) is not None


def masked(text: str) -> str:
    """The same text with user names, passwords and queries of addresses replaced by `***`."""
    if "://" not in text:
        return text
    return _QUERY.sub(r"\1?***", _CREDENTIALS.sub("***@", text))


def masked_address(text: str) -> str:
    """`text`, which is one address and nothing else, without its secrets, even where white space is in them."""
    scheme, colon, rest = text.partition("://")
    if not colon:
        return text
    before, at, after = rest.rpartition("@")
    shown = re.split(r"[?#]", after)[0] + "?***" if re.search(r"[?#]", before + after) else after
    return f"{scheme}://***@{shown}" if at else f"{scheme}://{shown}"


@dataclass(frozen=True, slots=True)
class Address:
    """A stream's address in its parts, unquoted; `target` is the path and the query, quoted, with its slash.

    `str` and `repr` are without secrets; `with_credentials` is for the one who connects.
    """

    scheme: str
    user: str
    password: str
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        secret = "***@" if self.user or self.password else ""
        path, mark, _ = self.target.partition("?")
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{secret}{self.authority_host}{port}{path}{'?***' if mark else ''}"

    def __repr__(self) -> str:
        return f"Address({self})"

    @property
    def authority_host(self) -> str:
        """The host as an address writes it: IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def with_credentials(self) -> str:
        """The whole address, quoted, secrets included: never to be shown, logged or given as an argument."""
        secret = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user or self.password else ""
        return f"{self.scheme}://{secret}{self.authority_host}:{self.port}{self.target}"

    def hide(self, text: str) -> str:
        """`text` without this address's secrets, wherever and however quoted they stand in it."""
        _, _, query = self.target.partition("?")
        for secret in sorted({self.password, quote(self.password, safe=""), query}, key=len, reverse=True):
            if secret:
                text = text.replace(secret, "***")
        return masked(text)


def parse_address(text: str) -> Address:
    """An address of a stream: `rtsp://user:password@camera:554/path?query`.

    The password may hold any sign but white space; @ and % in it need no quoting, / only where the address could be
    read in two ways.

    Raises:
        SourceError: not an address, a scheme that is not supported, or a part that cannot be; without its secrets.
    """
    shown = masked_address(text)
    if len(text) > _LONGEST or re.search(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]", text):
        raise SourceError(
            f"{_shortened(shown)}: an address holds no white space, and is not longer than {_LONGEST} characters.",
            "Write a space in a password as %20.",
        )
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in _PORTS:
        raise SourceError(
            f"{_shortened(shown)}: streams of the kind {scheme}:// are not supported.",
            "http, https, rtsp and rtsps are; others can be piped in: ffmpeg -i … -f mjpeg - | orilla run MODEL -",
        )
    secret, host, target = _split(rest)
    name, port = _host_and_port(host, _PORTS[scheme], shown)
    user, _, password = secret.partition(":")
    target = quote(target.partition("#")[0], safe=_KEPT_IN_TARGET)
    return Address(scheme, unquote(user), unquote(password), name, port, _from_root(target))


def _split(rest: str) -> tuple[str, str, str]:
    """Credentials, host with port, and the rest from its first / or ? on."""
    end = _end_of_authority(rest)
    secret, _, host = rest[:end].rpartition("@")
    if not secret and "@" in rest[end:] and _HOST_AND_PORT.fullmatch(host) is None:
        # `admin:hun/ter2@camera/stream`: what looked like a port was the beginning of a password.
        secret, _, behind = rest.rpartition("@")
        end = _end_of_authority(behind)
        return secret, behind[:end], behind[end:]
    return secret, host, rest[end:]


_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%A-Za-z]+\]|[^\[\]:@/?#]+)(?::([0-9]{1,5}))?")


def _end_of_authority(text: str) -> int:
    return next((at for at, sign in enumerate(text) if sign in "/?#"), len(text))


def _host_and_port(text: str, usual: int, shown: str) -> tuple[str, int]:
    found = _HOST_AND_PORT.fullmatch(text)
    port = int(found[2] or usual) if found else 0
    if found is None or not 0 < port < 65536 or len(found[1]) > 253:
        raise SourceError(
            f"{_shortened(shown)}: the camera's name or port cannot be read.",
            "An address is rtsp://user:password@camera:554/path; write @, / and ? in a password as %40, %2F and %3F.",
        )
    return found[1].strip("[]"), port


def _from_root(target: str) -> str:
    return target if target.startswith("/") else f"/{target}"


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
