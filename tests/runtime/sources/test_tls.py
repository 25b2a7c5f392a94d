"""Cameras behind TLS: the servers of the tests behind a certificate that nobody signed but themselves."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.stream import stream_source
from tests.runtime.sources.servers.process import running

CERTIFICATE = Path(__file__).parent / "servers" / "localhost.pem"
"""Of `localhost` and 127.0.0.1, for a hundred years, with its key; made for these tests alone."""


def _pump(giver: socket.socket, taker: socket.socket) -> None:
    with suppress(OSError):
        while data := giver.recv(65536):
            taker.sendall(data)
    for end in (giver, taker):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_tls(port: int) -> Iterator[int]:
    """A port that speaks TLS and passes on what it hears."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def serve(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            plain,
            socket.create_connection(("127.0.0.1", port)) as behind,
            context.wrap_socket(plain, server_side=True) as wrapped,
        ):
            threading.Thread(target=_pump, args=(behind, wrapped), daemon=True).start()
            _pump(wrapped, behind)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("scheme", "module"), [("https", "mjpeg_server"), ("rtsps", "rtsp_server")])
def test_a_certificate_is_checked_unless_told_otherwise(
    scheme: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(module) as camera, behind_tls(camera.port) as port:
        address = f"{scheme}://127.0.0.1:{port}/"
        (refused,) = stream_source(address, SourceOptions(retries=0))
        assert isinstance(refused, Failure)
        assert "has a certificate that is not trusted" in refused.error
        for trusted, options in (("", SourceOptions(insecure=True)), (str(CERTIFICATE), SourceOptions())):
            monkeypatch.setenv("SSL_CERT_FILE", trusted)
            source = stream_source(address, options)
            assert isinstance(next(iter(source)), Frame)
            source.close()
