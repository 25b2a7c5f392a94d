"""What the servers of the tests share: a listener that stops and starts, connections that are cut, and orders."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any


class Server:
    """Accepts connections and gives each to `serve` in a thread; `state` is what a test asked for."""

    def __init__(self, state: dict[str, Any], serve: Callable[[Server, socket.socket], None]) -> None:
        self.state = state
        self.sent = self.connections = 0
        self._serve = serve
        self._listener: socket.socket | None = None
        self._port = 0
        self._open: set[socket.socket] = set()

    def obey(self) -> None:
        """Serve, and do what lines of JSON on standard input say: `do` is drop, stop or start, all else is state."""
        self._listen()
        self._say({"port": self._port})
        for line in sys.stdin:
            order = json.loads(line)
            todo = order.pop("do", None)
            self.state.update(order)
            if todo == "start":
                self._listen()
            elif todo in {"drop", "stop"}:
                self._cut(stop=todo == "stop")
            self._say({"sent": self.sent, "connections": self.connections})

    def _say(self, answer: dict[str, int]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _cut(self, *, stop: bool) -> None:
        if stop and self._listener is not None:
            # Closing alone would not wake the thread in `accept`, and the port would stay taken.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in list(self._open):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            with connection:
                self._serve(self, connection)
        except OSError:
            return
        finally:
            self._open.discard(connection)
