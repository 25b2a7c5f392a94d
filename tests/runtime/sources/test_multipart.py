"""Pictures out of streams of bytes: in pieces of any size, with any damage, never more memory than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.sources.multipart import JpegReader, MultipartReader, TooLarge

JPEG = b"\xff\xd8\xff\xe0\x00\x06\xff\xd9ab\xff\xda\x00\x04\x01\x02data\xff\x00more\xff\xd0\xff\xd9"
"""A JPEG to its markers: a thumbnail's end inside a segment, stuffed bytes and a restart inside the scan."""

parts = st.lists(st.binary(max_size=60).map(lambda body: body.replace(b"--frame", b"")), max_size=6)
pieces = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def _fed(reader: MultipartReader | JpegReader, data: bytes, sizes: list[int]) -> list[bytes]:
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += list(reader.feed(data[at : at + size]))
        at += size
        turn += 1
    return found


def _body(bodies: list[bytes], *, lengths: bool, end: bytes = b"\r\n") -> bytes:
    data = b""
    for body in bodies:
        length = b"Content-Length: %d%s" % (len(body), end) if lengths else b""
        data += b"--frame" + end + b"Content-Type: image/jpeg" + end + length + end + body + end
    return data + b"--frame" + end


@given(bodies=parts, sizes=pieces, preamble=st.sampled_from([b"", b"\r\n", b"hello\r\n"]))
def test_parts_with_a_length(bodies: list[bytes], sizes: list[int], preamble: bytes) -> None:
    data = preamble + _body(bodies, lengths=True)
    assert _fed(MultipartReader(), data, sizes) == [body for body in bodies if body]


@given(count=st.integers(0, 5), sizes=pieces, end=st.sampled_from([b"\r\n", b"\n"]))
def test_pictures_without_a_length(count: int, sizes: list[int], end: bytes) -> None:
    body = b"\xff\xd8 picture \xff\xd9"
    assert _fed(MultipartReader(), _body([body] * count, lengths=False, end=end), sizes) == [body] * count


def test_a_part_is_given_before_the_next_one_begins() -> None:
    for lengths in (True, False):
        reader = MultipartReader()
        body = _body([JPEG], lengths=lengths)
        assert list(reader.feed(body[: body.index(b"\xff\xd0\xff\xd9") + 4])) == [JPEG]


@pytest.mark.parametrize("wrong", [b"5", b"999999999999", b"40"])
def test_a_wrong_length_spoils_no_other_part(wrong: bytes) -> None:
    good = b"--frame\r\nContent-Length: 4\r\n\r\ngood\r\n"
    bad = b"--frame\r\nContent-Length: " + wrong + b"\r\n\r\na longer body than five bytes\r\n"
    found = _fed(MultipartReader(), good + bad + good + good, [7])
    assert found[0] == b"good"
    assert found[-1] == b"good"
    assert b"a longer body than five bytes" in found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * 20_000, "no stream of pictures"),
        (b"--frame\r\n" + b"X-Filler: 1\r\n" * 2_000, "headers without an end"),
        (b"--frame\r\n\r\n" + b"x" * 200_000, "more than 0.0"),
        (b"--frame\r\nContent-Length: 150000\r\n\r\n" + b"x" * 200_000, "more than 0.0"),
    ],
)
def test_nothing_grows_without_an_end(data: bytes, words: str) -> None:
    with pytest.raises(TooLarge, match=words):
        _fed(MultipartReader(max_bytes=100_000), data, [4096])


@given(
    data=st.lists(st.sampled_from([b"--frame", b"--", b"\r\n", b"\n", b"Content-Length: 9", b"\xff\xd9", b"x"])),
    sizes=pieces,
)
def test_no_bytes_break_the_reader(data: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(data)
    found = _fed(MultipartReader(), whole, sizes)
    assert sum(map(len, found)) <= len(whole)


@given(count=st.integers(0, 5), sizes=pieces, between=st.sampled_from([b"", b"\0", b"--x\r\n\r\n"]))
def test_jpegs_one_after_the_other(count: int, sizes: list[int], between: bytes) -> None:
    reader = JpegReader()
    assert _fed(reader, (between + JPEG) * count, sizes) == [JPEG] * count
    assert reader.rest() == b""


def test_a_jpeg_that_was_cut_does_not_swallow_the_next() -> None:
    reader = JpegReader()
    cut = JPEG[: JPEG.index(b"more")]
    assert _fed(reader, JPEG + cut + JPEG + cut, [3]) == [JPEG, cut, JPEG]
    assert reader.rest() == cut


@given(
    data=st.lists(st.sampled_from([b"\xff", b"\xd8", b"\xd9", b"\xda", b"\xe0", b"\0", b"\x09", b"ab"])), sizes=pieces
)
def test_no_bytes_break_the_jpeg_reader(data: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(data)
    reader = JpegReader()
    found = _fed(reader, whole, sizes)
    assert sum(map(len, found)) + len(reader.rest()) <= len(whole)
    assert all(picture.startswith(b"\xff\xd8\xff") for picture in found)


def test_an_endless_jpeg_is_refused() -> None:
    with pytest.raises(TooLarge):
        _fed(JpegReader(max_bytes=50_000), JPEG[:20] + b"x" * 100_000, [4096])
