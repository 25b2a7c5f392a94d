"""MJPEG over HTTP against a real server on loopback: logging in, refusals, and every way to break off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from orilla_runtime.sources.address import parse_address
from orilla_runtime.sources.connection import Lost
from orilla_runtime.sources.http_stream import HttpConnection
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import read_pattern
from tests.runtime.sources.servers.credentials import PASSWORD, USER
from tests.runtime.sources.servers.process import Camera, running

OPTIONS = SourceOptions(timeout_seconds=0.5)


@pytest.fixture(scope="module")
def server() -> Iterator[Camera]:
    with running("mjpeg_server") as camera:
        yield camera


@pytest.fixture
def camera(server: Camera) -> Camera:
    server.tell(mode="good", fps=50, size=[64, 48], limit=-1)
    return server


def _connection(camera: Camera, path: str, secret: str = f"{USER}:{PASSWORD}@") -> HttpConnection:
    return HttpConnection(parse_address(f"http://{secret}127.0.0.1:{camera.port}{path}"), OPTIONS)


def _why(connection: HttpConnection) -> str:
    try:
        connection.open()
        connection.read()
    except Lost as reason:
        return str(reason)
    finally:
        connection.close()
    raise AssertionError("it was not lost")


@pytest.mark.parametrize("path", ["/", "/no-length", "/basic/a%20b?size=1", "/digest/1?user=x", "/moved"])
def test_pictures_come_one_by_one_whatever_the_server_is_like(camera: Camera, path: str) -> None:
    connection = _connection(camera, path)
    connection.open()
    numbers = []
    for _ in range(5):
        found = connection.read()
        numbers += [None] * found.skipped + [read_pattern(found.decode())]
    connection.close()
    assert numbers[0] == 0
    assert [number for number in numbers if number is not None] == [
        place for place, number in enumerate(numbers) if number is not None
    ]


@pytest.mark.parametrize(
    ("path", "secret", "words"),
    [
        ("/gone", "", "answers 404 Not Found"),
        ("/basic", "", "wants a user and a password: http://user:password@…"),
        ("/basic", f"{USER}:wrong-{PASSWORD}@", "refuses the user or the password (401)"),
        ("/digest", f"{USER}:wrong-{PASSWORD}@", "refuses the user or the password (401)"),
    ],
)
def test_a_refusal_is_told_without_the_password(camera: Camera, path: str, secret: str, words: str) -> None:
    assert _why(_connection(camera, path, secret)) == words


@pytest.mark.parametrize(
    ("mode", "words"),
    [("html", "answers with text/html, not with MJPEG"), ("mute", "does not answer in time")],
)
def test_what_is_no_camera(camera: Camera, mode: str, words: str) -> None:
    camera.tell(mode=mode)
    assert _why(_connection(camera, "/")).startswith(words)


def test_a_stream_that_falls_silent(camera: Camera) -> None:
    camera.tell(limit=camera.tell()["sent"] + 1)
    connection = _connection(camera, "/")
    connection.open()
    connection.read()
    with pytest.raises(Lost, match="does not answer in time"):
        connection.read()
    connection.close()


def test_names_and_ports_where_nobody_is(camera: Camera) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address, words in (
        ("http://user:pass-word@no-such-camera.invalid/", "is not known by that name"),
        (f"http://user:pass-word@127.0.0.1:{port}/", "refuses the connection"),
        (f"https://user:pass-word@127.0.0.1:{camera.port}/", "does not answer in time"),
    ):
        reason = _why(HttpConnection(parse_address(address), OPTIONS))
        assert reason.startswith(words), reason
        assert "pass-word" not in reason


@pytest.mark.parametrize("mode", ["endless head", "mute", "stall"])
def test_abort_ends_a_wait_from_another_thread(camera: Camera, mode: str) -> None:
    camera.tell(mode=mode)
    patient = SourceOptions(timeout_seconds=300)
    connection = HttpConnection(parse_address(f"http://127.0.0.1:{camera.port}/"), patient)
    lost = threading.Event()

    def wait() -> None:
        try:
            connection.open()
            connection.read()
        except Lost:
            lost.set()
        finally:
            connection.close()

    before = camera.tell()["connections"]
    waiting = threading.Thread(target=wait)
    waiting.start()
    while camera.tell()["connections"] == before:
        pass
    connection.abort()
    assert lost.wait(20)
    waiting.join()
    late = HttpConnection(parse_address(f"http://127.0.0.1:{camera.port}/"), patient)
    late.abort()
    assert _why(late)


def test_credentials_do_not_follow_to_another_host() -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as other:

        def redirect() -> None:
            answers = (
                b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\n\r\n" % other.getsockname()[1],
            )
            for answer in answers:
                connection, _ = first.accept()
                with connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)
            connection, _ = other.accept()
            with connection:
                asked.append(connection.recv(4096))

        server = threading.Thread(target=redirect)
        server.start()
        address = parse_address(f"http://user:pass-word@127.0.0.1:{first.getsockname()[1]}/")
        assert _why(HttpConnection(address, OPTIONS)) == "closed the connection"
        server.join()
    assert [b"Authorization" in request for request in asked] == [False, True, False]
