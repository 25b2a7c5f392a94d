"""Damaged files: whatever the bytes are, the readers answer or refuse, soon and with one kind of error."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.onnx import read_onnx
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.formats.tflite import read_tflite
from tests.runtime.small_models import onnx_colours, tflite_colours


def with_files() -> bytes:
    """A model with label files packed behind it."""
    stream = io.BytesIO(tflite_colours())
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "red\ngreen\nblue\n")
        archive.writestr("folder/vocab.txt", "a\nb\n")
    return stream.getvalue()


FILES = {
    "tflite with files": with_files(),
    "tflite": tflite_colours(),
    "tflite with metadata": tflite_colours(metadata=tflite_colours()),
    "onnx": onnx_colours(metadata={"names": "{0: 'a', 1: 'b', 2: 'c'}"}),
}
READERS: dict[str, Callable[[bytes], ModelFile]] = {
    "tflite with files": lambda data: read_tflite(data).summary(),
    "tflite": lambda data: read_tflite(data).summary(),
    "tflite with metadata": lambda data: read_tflite(data).summary(),
    "onnx": lambda data: read_onnx(data).summary(),
}
patient = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answers_or_refuses(read: Callable[[bytes], object], data: bytes) -> None:
    start = time.monotonic()
    with contextlib.suppress(ModelError):
        read(data)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("kind", FILES)
@patient
@given(data=st.data())
def test_changed_bytes(kind: str, data: st.DataObject) -> None:
    whole = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(8 if kind != "onnx" else 0, len(whole) - 1))
        whole[place] = data.draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    answers_or_refuses(READERS[kind], bytes(whole))


@pytest.mark.parametrize("kind", FILES)
@patient
@given(data=st.data())
def test_changed_words(kind: str, data: st.DataObject) -> None:
    """Offsets and lengths of 32 bits: huge, negative, pointing at one another."""
    whole = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(2, len(whole) // 4 - 1)) * 4
        value = data.draw(st.sampled_from([0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]) | st.integers(0, len(whole)))
        whole[place : place + 4] = struct.pack("<I", value)
    answers_or_refuses(READERS[kind], bytes(whole))


@pytest.mark.parametrize("kind", FILES)
def test_every_cut(kind: str) -> None:
    whole = FILES[kind]
    for length in range(len(whole)):
        answers_or_refuses(READERS[kind], whole[:length])
        answers_or_refuses(lambda data: read_model(data, "cut"), whole[:length])


@patient
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    answers_or_refuses(lambda data: read_model(data, "any"), data)
    answers_or_refuses(lambda data: read_tflite(b"\x18\0\0\0TFL3" + data), data)
    answers_or_refuses(read_onnx, data)


def test_lists_that_all_point_to_one_table_are_bounded() -> None:
    """A small file that describes 60,000 graphs of 60,000 tensors, all of them the same."""
    many = 60_000
    graph_vtable = struct.pack("<HHH", 6, 8, 4)
    model_vtable = struct.pack("<HHHHH", 10, 8, 0, 0, 4)
    head = struct.pack("<I4s", 0, b"TFL3") + graph_vtable.ljust(8, b"\0") + model_vtable.ljust(12, b"\0")
    model_at, list_at = len(head), len(head) + 8
    graph_at = list_at + 4 + 4 * many
    tensors_at = graph_at + 8
    data = bytearray(head)
    data[0:4] = struct.pack("<I", model_at)
    data += struct.pack("<iI", model_at - 16, list_at - (model_at + 4))
    data += struct.pack("<I", many)
    data += b"".join(struct.pack("<I", graph_at - (list_at + 4 + 4 * index)) for index in range(many))
    data += struct.pack("<iI", graph_at - 8, tensors_at - (graph_at + 4))
    data += struct.pack("<I", many)
    data += b"".join(struct.pack("<i", 0) for index in range(many))
    start = time.monotonic()
    with pytest.raises(ModelError, match="far more than a model holds"):
        read_tflite(bytes(data))
    assert time.monotonic() - start < 20
