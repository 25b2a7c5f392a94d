"""A camera that speaks RTSP with RTP/JPEG (RFC 2326, RFC 2435) through the same TCP connection, with faults on request.

Pictures are the test pattern, so each shows its own number.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import BinaryIO

import cv2

from orilla_runtime.sources.pattern import draw_pattern
from tests.runtime.sources.servers.credentials import is_welcome
from tests.runtime.sources.servers.steering import Server

_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track1\r\na=framerate:{fps}\r\n"
)
_PACKET_BYTES = 1400


def serve(server: Server, connection: socket.socket) -> None:
    """One connection: requests are answered here, pictures are sent by another thread."""
    with connection.makefile("rb") as requests:
        while (head := _head(requests)) and server.state["mode"] != "mute":
            method, url, _ = head[0].split()
            connection.sendall(_answer(server, method, url, head))
            if method == "PLAY":
                threading.Thread(target=_play, args=(server, connection), daemon=True).start()
        if head:
            time.sleep(60)


def _head(requests: BinaryIO) -> list[str]:
    lines = []
    while line := requests.readline().decode("latin-1").strip():
        lines.append(line)
    return lines


def _answer(server: Server, method: str, url: str, head: list[str]) -> bytes:
    number = next(line.partition(":")[2].strip() for line in head if line.lower().startswith("cseq"))
    status, more, body = "200 OK", "", ""
    challenge = is_welcome(method, url, head) if method == "DESCRIBE" else None
    if challenge is not None:
        status, more = "401 Unauthorized", f"WWW-Authenticate: {challenge}\r\n"
    elif "/gone" in url:
        status = "404 Not Found"
    elif method == "OPTIONS":
        more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
    elif method == "DESCRIBE":
        more, body = f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\n", _SDP.format(**server.state)
    elif method == "SETUP":
        more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
    elif method == "PLAY":
        more = "Session: 1\r\nRange: npt=0.000-\r\n"
    return f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _play(server: Server, connection: socket.socket) -> None:
    number = sequence = 0
    due = time.monotonic()
    while True:
        mode, (width, height) = server.state["mode"], server.state["size"]
        if mode == "stall":
            time.sleep(0.01)
            due = time.monotonic()
            continue
        image = draw_pattern(width, height, 7 if mode == "frozen" else number)
        data = cv2.imencode(".jpg", image // 64 if mode == "black" else image)[1].tobytes()
        packets = jpeg_packets(data, width, height, sequence, int(number * 90_000 / server.state["fps"]))
        if mode == "damaged":
            packets = [packet[:200] + bytes(value & 0x7F for value in packet[200:]) for packet in packets]
        try:
            connection.sendall(b"".join(b"$\0" + struct.pack(">H", len(packet)) + packet for packet in packets))
        except OSError:
            return
        server.sent += 1
        sequence += len(packets)
        number += 1
        due += 1 / server.state["fps"]
        time.sleep(max(0.0, due - time.monotonic()))


def jpeg_packets(jpeg: bytes, width: int, height: int, sequence: int, stamp: int) -> list[bytes]:
    """A baseline 4:2:0 JPEG with the standard Huffman tables as RTP packets, its quantization tables in the first."""
    tables, at = b"", 2
    while jpeg[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        if jpeg[at + 1] == 0xDB:
            segment = jpeg[at + 4 : at + 2 + length]
            tables += b"".join(segment[start + 1 : start + 65] for start in range(0, len(segment), 65))
        at += 2 + length
    scan = jpeg[at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0] : -2]
    packets = []
    for offset in range(0, len(scan), _PACKET_BYTES):
        last = offset + _PACKET_BYTES >= len(scan)
        place = (sequence + len(packets)) & 0xFFFF
        rtp = struct.pack(">BBHII", 0x80, 26 | (0x80 if last else 0), place, stamp & 0xFFFFFFFF, 7)
        head = struct.pack(">I", offset) + bytes([1, 255, width // 8, height // 8])
        if offset == 0:
            head += struct.pack(">BBH", 0, 0, len(tables)) + tables
        packets.append(rtp + head + scan[offset : offset + _PACKET_BYTES])
    return packets


if __name__ == "__main__":
    Server({"fps": 50.0, "size": [128, 96], "mode": "good"}, serve).obey()
