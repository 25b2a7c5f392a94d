"""Addresses: what they mean, and that no password gets out of one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orilla_runtime.errors import OrillaError, SourceError
from orilla_runtime.sources.address import is_address, masked, masked_address, parse_address
from orilla_runtime.sources.base import Failure
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.registry import open_source


@pytest.mark.parametrize(
    ("text", "user", "password", "host", "port", "target"),
    [
        ("rtsp://cam/stream", "", "", "cam", 554, "/stream"),
        ("RTSP://admin:1234@10.0.0.7:8554/a?b=c#d", "admin", "1234", "10.0.0.7", 8554, "/a?b=c"),
        ("http://cam", "", "", "cam", 80, "/"),
        ("https://cam?x", "", "", "cam", 443, "/?x"),
        ("rtsps://u:p%40ss@[fe80::1]:322/x", "u", "p@ss", "fe80::1", 322, "/x"),
        ("rtsp://admin:a@b:c@cam/x", "admin", "a@b:c", "cam", 554, "/x"),
        ("rtsp://admin:hun/ter2@home@10.0.0.7:554/stream", "admin", "hun/ter2@home", "10.0.0.7", 554, "/stream"),
        ("rtsp://cam/live@hd", "", "", "cam", 554, "/live@hd"),
        ("http://cam/bild ä".replace(" ", "%20"), "", "", "cam", 80, "/bild%20%C3%A4"),
    ],
)
def test_the_parts(text: str, user: str, password: str, host: str, port: int, target: str) -> None:
    address = parse_address(text)
    assert (address.user, address.password) == (user, password)
    assert (address.host, address.port, address.target) == (host, port, target)
    again = parse_address(address.with_credentials())
    assert again == address


@pytest.mark.parametrize(
    "text",
    ["rtsp://", "rtsp:///x", "http://cam:0/", "http://cam:99999/", "http://[::1/", "rtsp://u:p@",
     "http://" + "x" * 5000, "http://cam:port/x", "rtsp://u:se cret@cam/", "rtsp://u:secret@cam/\r\nX: y", "ftp://u:secret@cam/x"],
)  # fmt: skip
def test_what_cannot_be_an_address(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(text)
    assert "cret" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_where_the_password_is_shown_as_stars() -> None:
    assert str(parse_address("rtsp://admin:1234@cam/a?key=1")) == "rtsp://***@cam/a?***"
    assert repr(parse_address("rtsp://admin:1234@cam:8554/a")) == "Address(rtsp://***@cam:8554/a)"
    assert masked_address("rtsp://admin:my pass@cam/a") == "rtsp://***@cam/a"
    assert masked_address("http://cam/a?pwd=my pass") == "http://cam/a?***"
    hide = parse_address("http://admin:p%40ss%2Fw@cam/a?key=very-secret").hide
    assert hide("p@ss/w p%40ss%2Fw http://x:y@z key=very-secret") == "*** *** http://***@z ***"


@given(st.text(max_size=80))
@example("rtsp://@")
@example("http://[")
@example("http://a:1@b/@c@?#")
def test_any_text_is_an_address_or_refused(rest: str) -> None:
    for scheme in ("rtsp://", "https://"):
        try:
            address = parse_address(scheme + rest)
        except SourceError:
            continue
        assert parse_address(address.with_credentials()) == address
        assert 0 < address.port < 65536
        assert "\r" not in address.with_credentials()


passwords = st.text(st.characters(codec="utf-8"), min_size=6, max_size=20).map(lambda text: f"{text}qZ7")


@given(
    password=passwords,
    host=st.sampled_from(["cam", "10.0.0.7:8554", "[::1]"]),
    tail=st.sampled_from(["", "/s", "/s?a=b"]),
)
def test_no_password_leaves_an_address(password: str, host: str, tail: str) -> None:
    text = f"rtsp://admin:{password}@{host}{tail}"
    assert is_address(text)
    shown = [masked_address(text)]
    try:
        source = open_source(text, SourceOptions())
    except OrillaError as error:
        shown.append(str(error))
    else:
        shown += [source.name, repr(source), str(parse_address(text)), repr(parse_address(text))]
    if not any(sign.isspace() for sign in password):
        shown += [masked(f"cannot open {text} now"), str(Failure(text, 0, f"{text} is lost"))]
    for each in shown:
        assert "qZ7" not in each, each
