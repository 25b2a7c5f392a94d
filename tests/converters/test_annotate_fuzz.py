"""Damaged files under `orilla metadata`: refused in a sentence, or written as a file that reads back."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orilla_converters.annotate import annotate
from orilla_converters.metadata_codec import decode_metadata, encode_metadata
from orilla_converters.metadata_edit import label_lines, with_labels, with_normalization, with_texts
from orilla_converters.tflite_layer import metadata_of, split, with_metadata
from orilla_runtime.errors import ModelError, OrillaError
from orilla_runtime.formats.limits import DamagedFileError
from orilla_runtime.formats.model_file import Normalization
from orilla_runtime.formats.sniff import read_model
from tests.runtime.small_models import LABELS, onnx_colours, tflite_colours

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.lists(TEXT.filter(lambda text: bool(text.strip())), min_size=3, max_size=3)


@cache
def annotated() -> bytes:
    record = with_texts({}, {"name": "a"})
    record = with_normalization(record, ["image"], ["scores"], Normalization((1.0,), (2.0,)), "rgb")
    record, name = with_labels(record, ["image"], ["scores"])
    return with_metadata(tflite_colours(), encode_metadata(record), {name: label_lines(LABELS)})


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=8), st.integers(0, 4000), st.sampled_from(["tflite", "onnx"]))
def test_damage_is_refused_or_harmless(bytes_: bytes, place: int, suffix: str) -> None:
    """No engine sees these: a native reader may crash on a damaged file."""
    whole = annotated() if suffix == "tflite" else onnx_colours(metadata={"names": "{0: 'x'}"})
    data = bytearray(whole)
    place %= len(data)
    data[place : place + len(bytes_)] = bytes_
    try:
        read_model(bytes(data), "m")
        if suffix == "tflite":
            metadata = metadata_of(bytes(data))
            record = with_texts(decode_metadata(metadata) if metadata is not None else {}, {"name": "new"})
            written = with_metadata(bytes(data), encode_metadata(record), split(bytes(data))[1])
            assert read_model(written).name == "new"
    except (OrillaError, DamagedFileError):
        return


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_junk_is_no_metadata(data: bytes) -> None:
    try:
        record = decode_metadata(data)
    except ModelError:
        return
    assert decode_metadata(encode_metadata(record)) == record


@settings(max_examples=60, deadline=None)
@given(NAMES, st.sampled_from(["tflite", "onnx"]))
def test_any_names_read_back(names: list[str], suffix: str) -> None:
    """Whatever the alphabet: one name a line, none shifted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{suffix}"
        path.write_bytes(tflite_colours() if suffix == "tflite" else onnx_colours())
        annotate(path, labels=names)
        found = read_model(path.read_bytes()).labels
    assert found is not None
    assert len(found) == 3
    assert [" ".join(one.split()) for one in found] == [" ".join(one.split()) for one in names]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_file_is_named(cut: float, tmp_path: Path) -> None:
    data = annotated()
    path = tmp_path / "m.tflite"
    path.write_bytes(data[: int(len(data) * cut)])
    before = path.read_bytes()
    with pytest.raises(ModelError, match=r"m\.tflite"):
        annotate(path, texts={"name": "b"})
    assert path.read_bytes() == before


def test_labels_that_were_cut_off_can_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(annotated()[:-30])
    annotate(path, labels=LABELS)
    assert read_model(path.read_bytes()).labels == LABELS
