"""Whatever the bytes: a picture or a SourceError of a line, never another exception."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.container import is_video, read_container
from orilla_runtime.sources.picture import decode_picture
from orilla_runtime.sources.picture_header import read_header, sniff_picture
from orilla_runtime.sources.unreadable import Unreadable

_MAGIC = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"RIFF\x10\0\0\0WEBPVP8X",
    b"RIFF\x10\0\0\0WEBPVP8 ",
    b"RIFF\x10\0\0\0WEBPVP8L",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0",
    b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\0\x18ftypavif",
    b"\0\0\0\x18ftypheic",
    b"",
]
_SEEDS = [
    "plain.jpg", "progressive.jpg", "exif_orientation_6.jpg", "cmyk.jpg", "alpha.png", "grey16.png", "palette.bmp",
    "animated.gif", "lossless.webp", "animated.webp", "lzw.tiff", "two_pages.tiff", "photo.avif", "phone.heic",
]  # fmt: skip


def _attempt(data: bytes) -> None:
    result = _decode(data)
    if isinstance(result, SourceError):
        assert result.message.startswith("fuzzed")
        assert "\n" not in result.message
    else:
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3


def _decode(data: bytes) -> np.ndarray | SourceError:
    try:
        return decode_picture(data, "fuzzed", max_pixels=250_000)
    except SourceError as error:
        return error


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(_MAGIC), st.binary(max_size=200))
def test_random_bytes_behind_each_magic(magic: bytes, rest: bytes) -> None:
    sniff_picture(magic + rest)
    is_video(magic + rest)
    try:
        header = read_header(magic + rest)
    except Unreadable:
        return
    assert header.width >= 0
    assert header.height >= 0


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_real_files_with_a_few_bytes_changed(unzipped: Callable[[str], Path], data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(_SEEDS))
    content = bytearray((unzipped("odd_images.zip") / "files" / seed).read_bytes())
    near = st.integers(0, min(len(content), 400) - 1) | st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(near, st.integers(0, 255)), min_size=1, max_size=8)):
        content[place] = value
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    _attempt(bytes(content[:end]))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 3_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\x02" * 1_500_000,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\0" * 3_000_000,
        b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x08free" * 500_000,
        b"II+\0\x08\0\0\0" + b"\xff" * 40,
    ],
    ids=["fill bytes", "empty segments", "empty chunks", "empty boxes", "64-bit place"],
)
def test_a_file_of_tiny_parts_or_far_places_ends(data: bytes) -> None:
    with pytest.raises(SourceError):
        decode_picture(data, "parts")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(
        [b"\0\0\0\x10ftypisom\0\0\0\0", b"RIFF\xff\0\0\0AVI ", b"\x1aE\xdf\xa3", b"\0\0\0\x08moov", b""]
    ),
    rest=st.binary(max_size=100),
)
def test_a_container_of_random_bytes(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"container-{os.getpid()}"
    path.write_bytes(start + rest)
    try:
        container = read_container(path)
    except Unreadable as reason:
        assert "\n" not in str(reason)  # noqa: PT017
    else:
        assert container.seconds is None or container.seconds > 0
