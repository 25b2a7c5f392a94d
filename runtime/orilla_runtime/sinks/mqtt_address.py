"""The address of a topic at an MQTT broker: `mqtt[s]://user:password@host:port/topic`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from orilla_runtime.errors import SinkError
from orilla_runtime.sources.address import masked_address

PORTS = {"mqtt": 1883, "mqtts": 8883}
_LONGEST = 4096
_LONGEST_TOPIC = 65_000
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/?#\s]+)(?::([0-9]{1,5}))?")
_EXAMPLE = (
    "An address is mqtt://user:password@broker:1883/topic; write @, /, ? and # in a password as %40, %2F, %3F, %23."
)


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A topic at a broker. `str` and `repr` are without user and password."""

    scheme: str
    host: str
    port: int
    topic: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted, and the broker's certificate checked."""
        return self.scheme == "mqtts"

    @property
    def status_topic(self) -> str:
        """Where `online` and `offline` are kept."""
        return f"{self.topic}/status"

    def __str__(self) -> str:
        secret = "***@" if self.user or self.password else ""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{secret}{host}{port}/{self.topic}"


def parse_mqtt(text: str) -> MqttAddress:
    """An address, or `env:NAME` for the one that an environment variable holds: a password is then no argument.

    Raises:
        SinkError: it cannot be read; without its secrets.
    """
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        text = os.environ.get(name, "")
        if not text or text.startswith("env:"):
            raise SinkError(f"The environment variable {name} holds no address of a broker.", _EXAMPLE)
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() not in PORTS:
        raise _refused(text, "is no address of an MQTT broker")
    if len(text) > _LONGEST or re.search(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]", text):
        raise _refused(text, f"holds white space, or is longer than {_LONGEST} characters")
    authority, _, topic = rest.partition("/")
    secret, _, place = authority.rpartition("@")
    user, _, password = secret.partition(":")
    host, port = _host_and_port(text, place, PORTS[scheme.lower()])
    return MqttAddress(scheme.lower(), host, port, _topic(text, topic), unquote(user), unquote(password))


def _host_and_port(text: str, place: str, usual: int) -> tuple[str, int]:
    found = _HOST_AND_PORT.fullmatch(place)
    port = int(found[2] or usual) if found else 0
    host = found[1].strip("[]") if found else ""
    try:
        host.encode("idna")
    except UnicodeError:
        host = ""
    if not host or not 0 < port < 65536:
        raise _refused(text, "has a broker's name or port that cannot be read")
    return host, port


def _topic(text: str, quoted: str) -> str:
    """Wildcards are for those who listen; a query or a fragment is part of no topic."""
    topic = unquote(quoted).rstrip("/")
    if not topic or re.search(r"[+#?\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]", topic):
        raise _refused(text, "names no topic, or one with +, # or ?")
    if len(topic.encode()) > _LONGEST_TOPIC:
        raise _refused(text, "has a topic that is too long")
    return topic


def _refused(text: str, reason: str) -> SinkError:
    shown = masked_address(text) if "://" in text else text.rpartition("@")[2]
    return SinkError(f"{shown if len(shown) <= 200 else shown[:200] + '…'} {reason}.", _EXAMPLE)
