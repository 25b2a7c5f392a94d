"""A camera that speaks MJPEG over HTTP, in a process of its own, with every fault on request.

The address's path chooses how it asks for credentials and how it delimits parts; `mode` chooses the fault. A picture is
the test pattern, so it shows its own number.
"""

from __future__ import annotations

import functools
import socket
import time

import cv2

from orilla_runtime.sources.pattern import draw_pattern
from tests.runtime.sources.servers.credentials import is_welcome
from tests.runtime.sources.servers.steering import Server


def serve(server: Server, connection: socket.socket) -> None:
    """One connection, from the request to its end."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            return
        head += piece
    path = head.split()[1].decode()
    refusal = _refusal(path, head.decode("latin-1"))
    if refusal is not None:
        connection.sendall(refusal)
        return
    mode = server.state["mode"]
    if mode == "mute":
        time.sleep(60)
    if mode == "endless head":
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Filler: 1\r\n")
            time.sleep(0.02)
    kind = "text/html" if mode == "html" else "multipart/x-mixed-replace; boundary=--frame"
    connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
    _send_pictures(server, connection, with_length="no-length" not in path)


def _send_pictures(server: Server, connection: socket.socket, *, with_length: bool) -> None:
    number, due = 0, time.monotonic()
    while True:
        mode = server.state["mode"]
        if mode == "stall" or server.sent == server.state["limit"]:
            time.sleep(0.01)
            due = time.monotonic()
            continue
        data = _picture(*server.state["size"], 7 if mode == "frozen" else number, mode == "black")
        if mode == "cut":
            data = data[: len(data) // 2]
        elif mode == "damaged":
            middle = len(data) // 2
            data = data[:middle] + bytes(255 - value for value in data[middle:-2]) + data[-2:]
        length = f"Content-Length: {len(data)}\r\n".encode() if with_length else b""
        connection.sendall(b"--frame\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + data + b"\r\n")
        server.sent += 1
        number += 1
        due += 1 / server.state["fps"]
        time.sleep(max(0.0, due - time.monotonic()))


@functools.lru_cache(maxsize=1000)
def _picture(width: int, height: int, number: int, black: bool) -> bytes:
    image = draw_pattern(width, height, number)
    return cv2.imencode(".jpg", image // 64 if black else image)[1].tobytes()


def _refusal(path: str, head: str) -> bytes | None:
    if path.startswith("/moved"):
        return b"HTTP/1.1 302 Found\r\nLocation: /no-length\r\nContent-Length: 0\r\n\r\n"
    if path.startswith("/gone"):
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    challenge = is_welcome("GET", path, head.split("\r\n"))
    if challenge is None:
        return None
    return f"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n".encode()


if __name__ == "__main__":
    Server({"fps": 50.0, "size": [64, 48], "mode": "good", "limit": -1}, serve).obey()
