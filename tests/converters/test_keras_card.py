"""The card inside a `.keras` file: read back as written, and refused when damaged."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orilla_converters.keras_card import ENTRY, KerasCard, read_card, write_card
from orilla_runtime.errors import DataError
from orilla_runtime.preprocess import Preprocess

CARD = KerasCard(("cat", "dog"), Preprocess((32, 24), fit="crop", crop_fraction=0.875), training={"seed": 3})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x00" * 1000)
    return path


def test_a_card_comes_back_as_it_was(model: Path) -> None:
    assert read_card(model) is None
    write_card(model, KerasCard(("a", "b"), Preprocess((8, 8)), output="logits"))
    write_card(model, CARD)
    assert read_card(model) == CARD
    with zipfile.ZipFile(model) as archive:
        assert archive.namelist() == ["config.json", "model.weights.h5", ENTRY]
        assert archive.read("model.weights.h5") == b"\x00" * 1000


def test_names_that_are_no_utf8_come_back(model: Path) -> None:
    split = {"train": [os.fsdecode(b"a/se\xf1al.png")], "test": ["a/ñ.png"]}
    write_card(model, KerasCard(("a",), Preprocess((8, 8)), training={"split": split}))
    card = read_card(model)
    assert card is not None
    assert card.training["split"] == split


def test_writing_twice_gives_the_same_bytes(model: Path) -> None:
    write_card(model, CARD)
    first = model.read_bytes()
    write_card(model, CARD)
    assert model.read_bytes() == first


@pytest.mark.parametrize(
    "change",
    [
        {"labels": []},
        {"labels": ["a", ""]},
        {"labels": "ab"},
        {"preprocess": {"size": [0, 4]}},
        {"preprocess": {"size": "big"}},
        {"preprocess": {"size": 4}},
        {"preprocess": {"size": [4, 4], "scale": 1}},
        {"preprocess": {"size": [4, 4], "surprise": 1}},
        {"preprocess": None},
        {"output": "logit"},
        {"training": []},
        {"version": None},
    ],
)
def test_a_damaged_card_is_refused(model: Path, change: dict[str, object]) -> None:
    write_card(model, CARD)
    with zipfile.ZipFile(model) as archive:
        data = json.loads(archive.read(ENTRY)) | change
    put(model, json.dumps(data).encode())
    with pytest.raises(DataError, match=r"m\.keras is damaged"):
        read_card(model)


def test_a_newer_card_is_refused_by_its_version(model: Path) -> None:
    put(model, json.dumps({"version": 2}).encode())
    with pytest.raises(DataError, match="version 2"):
        read_card(model)


def test_a_card_that_cannot_be_written_leaves_the_file(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(DataError):
        write_card(model, KerasCard(("a",), Preprocess((8, 8)), training={"loss": float("nan")}))
    assert model.read_bytes() == before


def test_other_zip_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"no \.keras file"):
        read_card(tmp_path / "other.keras")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_other_content_is_a_data_error(model: Path, content: bytes) -> None:
    put(model, content)
    with pytest.raises(DataError):
        read_card(model)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.floats(0, 1))
def test_a_cut_file_is_a_data_error(model: Path, cut: float) -> None:
    write_card(model, CARD)
    data = model.read_bytes()
    part = model.with_name("cut.keras")
    part.write_bytes(data[: int(cut * (len(data) - 1))])
    with pytest.raises(DataError):
        read_card(part)


def put(model: Path, content: bytes) -> None:
    """Replace the card by these bytes."""
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(ENTRY, content)
