"""A small MQTT 3.1.1 broker: takes QoS 0 and 1, keeps retained messages and last wills, and dies when it is told to."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 12, 13, 14
NOT_AUTHORIZED = 5


@dataclass
class Client:
    connection: socket.socket
    user: str = ""
    password: str = ""
    will: tuple[str, bytes] | None = None


@dataclass
class Broker:
    """`messages` holds what was confirmed, or would have been; `retained` the last of each retained topic."""

    password: str | None = None
    confirms: bool = True
    tls: ssl.SSLContext | None = None
    port: int = 0
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    retained: dict[str, bytes] = field(default_factory=dict)
    users: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _clients: list[Client] = field(default_factory=list)
    _listener: socket.socket | None = None

    def start(self) -> Broker:
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def kill(self) -> None:
        """As when the process dies: nothing is said to anybody, and no will is published."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut(with_wills=False)

    def cut(self, *, with_wills: bool = True) -> None:
        """End every connection."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            if not with_wills:
                client.will = None
            with suppress(OSError):
                client.connection.shutdown(socket.SHUT_RDWR)

    def payloads(self, topic: str) -> list[bytes]:
        with self._lock:
            return [payload for name, payload in self.messages if name == topic]

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        client = Client(connection)
        try:
            if self.tls is not None:
                client.connection = connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while True:
                    first = stream.read(1)
                    if not first:
                        break
                    length, shift = 0, 0
                    while True:
                        byte = stream.read(1)[0]
                        length |= (byte & 127) << shift
                        shift += 7
                        if byte < 128:
                            break
                    if not self._handle(client, first[0], stream.read(length)):
                        return
        except (OSError, IndexError):
            pass
        finally:
            if client.will is not None:
                with self._lock:
                    self.retained[client.will[0]] = client.will[1]

    def _handle(self, client: Client, first: int, body: bytes) -> bool:
        kind = first >> 4
        if kind == CONNECT:
            return self._welcome(client, body)
        if kind == PUBLISH:
            topic, rest = _text(body)
            number = rest[:2] if first & 0x06 else b""
            with self._lock:
                if client not in self._clients:
                    return False
                self.messages.append((topic.decode(), rest[len(number) :]))
                if first & 1:
                    self.retained[topic.decode()] = rest[len(number) :]
            if number and self.confirms:
                client.connection.sendall(bytes([PUBACK << 4, 2]) + number)
        elif kind == PINGREQ:
            client.connection.sendall(bytes([PINGRESP << 4, 0]))
        elif kind == DISCONNECT:
            client.will = None
            return False
        return True

    def _welcome(self, client: Client, body: bytes) -> bool:
        _, rest = _text(body)
        flags, (_, rest) = rest[1], _text(rest[4:])
        if flags & 0x04:
            topic, rest = _text(rest)
            message, rest = _text(rest)
            client.will = topic.decode(), message
        if flags & 0x80:
            user, rest = _text(rest)
            client.user = user.decode()
        if flags & 0x40:
            secret, rest = _text(rest)
            client.password = secret.decode()
        is_welcome = self.password in {None, client.password}
        with self._lock:
            self.users.append((client.user, client.password))
            if is_welcome and self._listener is not None:
                self._clients.append(client)
        client.connection.sendall(bytes([CONNACK << 4, 2, 0, 0 if is_welcome else NOT_AUTHORIZED]))
        if not is_welcome:
            client.will = None
        return is_welcome


def _text(body: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(body[:2], "big")
    return body[2 : 2 + length], body[2 + length :]
