"""A folder in one entry comes out as it went in; nothing else comes out of a file that someone made by hand."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.packed_folder import MOST_FILES, packed, unpacked

PART = st.text("abcXYZ019_-. ", min_size=1, max_size=12).filter(lambda part: part not in {".", ".."})
PATHS = st.lists(PART, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(PATHS, st.binary(max_size=600), min_size=1, max_size=6)


@given(FILES)
def test_files_come_back(files: dict[str, bytes]) -> None:
    data = packed(files)
    assert unpacked(data, "x") == files
    assert packed(dict(reversed(files.items()))) == data


@given(data=st.binary(max_size=200), cut=st.integers(0, 2000), at=st.integers(0, 2000), byte=st.integers(0, 255))
def test_damage_is_refused_or_harmless(data: bytes, cut: int, at: int, byte: int) -> None:
    whole = bytearray(packed({"a/b": data, "c": b"c" * 30}))
    whole[at % len(whole)] = byte
    for damaged in (bytes(whole), bytes(whole[:cut]), data):
        with contextlib.suppress(ModelError):
            found = unpacked(damaged, "x")
            assert all(".." not in name.split("/") and not name.startswith("/") for name in found)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def archive(*entries: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for one in entries:
            file.addfile(one)
    return stream.getvalue()


@pytest.mark.parametrize(
    "made",
    [
        lambda: archive(entry("../out")),
        lambda: archive(entry("a/../../out")),
        lambda: archive(entry("/etc/out")),
        lambda: archive(entry("C:/out")),
        lambda: archive(entry("a\\..\\out")),
        lambda: archive(entry("a", tarfile.SYMTYPE, "/etc/passwd")),
        lambda: archive(entry("a"), entry("b", tarfile.LNKTYPE, "a")),
        lambda: archive(entry("a", tarfile.FIFOTYPE)),
        lambda: archive(entry("a", tarfile.DIRTYPE)),
        lambda: archive(entry("a"), entry("a")),
        lambda: archive(*(entry(str(number)) for number in range(MOST_FILES + 1))),
        lambda: archive(),
        lambda: b"",
    ],
)
def test_what_packed_does_not_write_is_refused(made: Callable[[], bytes]) -> None:
    with pytest.raises(ModelError, match="is no packed folder"):
        unpacked(made(), "artifacts/float32.savedmodel")


@pytest.mark.parametrize("path", ["../a", "/a", "", "a//b", "./a", "a:b"])
def test_a_path_that_leads_out_is_not_written(path: str) -> None:
    with pytest.raises(ModelError, match="leads out"):
        packed({path: b""})
