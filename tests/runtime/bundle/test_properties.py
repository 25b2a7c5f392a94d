"""Whatever happens to a bundle's bytes: it is refused by name, or it says what it said before."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orilla_runtime.bundle.codec import decode_manifest, encode_manifest
from orilla_runtime.bundle.manifest import Artifact, FileEntry, Manifest, TaskInfo
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import BundleError
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import Quantization, TensorSpec
from tests.runtime.bundle.samples import BYTE_GOLDEN, sample

GOOD = BYTE_GOLDEN.read_bytes()
with open_bundle(BYTE_GOLDEN) as opened:
    ID = opened.id

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
plain = st.recursive(
    st.none() | st.booleans() | integers | floats | st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
quantizations = st.none() | st.builds(Quantization, floats, integers)
specs = st.builds(TensorSpec, texts, st.lists(st.none() | integers, max_size=4).map(tuple), texts, quantizations)
artifacts = st.builds(
    Artifact,
    texts,
    texts,
    texts,
    st.tuples(specs),
    st.tuples(specs),
    texts,
    repairs=st.lists(texts, max_size=2).map(tuple),
)
manifests = st.builds(
    Manifest,
    texts,
    texts,
    st.builds(TaskInfo, texts, st.lists(texts, max_size=4).map(tuple), texts, floats),
    st.builds(Preprocess, st.tuples(st.integers(1, 99), st.integers(1, 99)), scale=st.tuples(floats)),
    st.lists(artifacts, max_size=2).map(tuple),
    st.dictionaries(texts, texts, max_size=2),
    st.lists(st.builds(FileEntry, texts, integers, texts), max_size=2).map(tuple),
    training=st.dictionaries(texts, plain, max_size=3),
    extra=st.dictionaries(texts, plain, max_size=3),
)


@given(manifests)
@settings(deadline=None, max_examples=60)
def test_a_manifest_comes_back(manifest: Manifest) -> None:
    data = encode_manifest(manifest, "x")
    again = decode_manifest(data, "x")
    assert again == manifest
    assert encode_manifest(again, "x") == data


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "x.orilla"


def judge(path: Path, data: bytes) -> None:
    """Refused with a fault and in two lines at most, or the same content as before."""
    path.write_bytes(data)
    refusal = None
    try:
        with open_bundle(path) as bundle:
            read = {file.path: bundle.read(file.path) for file in bundle.manifest.files}
            assert (bundle.id, read) == (ID, sample().entries)
    except BundleError as error:
        refusal = error
    assert (refusal is None) == (data == GOOD)
    if refusal is not None:
        assert refusal.fault
        assert str(refusal).count("\n") <= 1
        assert refusal.message.isprintable()


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=400)
def test_changed_bytes(scratch: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    judge(scratch, bytes(data))


def test_no_single_byte_can_change(scratch: Path) -> None:
    """Every byte of the file is under a check: structure, manifest, hash or CRC."""
    for place in range(len(GOOD)):
        data = bytearray(GOOD)
        data[place] ^= 1
        scratch.write_bytes(data)
        with pytest.raises(BundleError), open_bundle(scratch, expected_id=ID) as bundle:
            bundle.verify()


def test_no_truncation_opens(scratch: Path) -> None:
    for length in range(len(GOOD)):
        scratch.write_bytes(GOOD[:length])
        with pytest.raises(BundleError) as caught:
            open_bundle(scratch)
        assert caught.value.fault == ("truncated" if length else "not-a-zip")


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.binary(max_size=64))
@settings(deadline=None, max_examples=200)
def test_spliced_bytes(scratch: Path, start: int, end: int, middle: bytes) -> None:
    judge(scratch, GOOD[:start] + middle + GOOD[end:])


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=200)
@example(b"PK\x05\x06" + bytes(18))
def test_any_bytes(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(data)
    with pytest.raises(BundleError):
        open_bundle(scratch)


@given(st.binary(max_size=200) | plain.map(lambda value: repr(value).encode()))
@example(b'"' + b'\\"' * 60_000)
@example(b"[" * 1_000_000)
@example(b'{"schema":1' + b"0" * 5_000 + b"}\n")
@settings(deadline=None)
def test_any_manifest_bytes(data: Any) -> None:
    with pytest.raises(BundleError):
        decode_manifest(data, "x")


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every entry of a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield (*way, key)
        yield from ways(inner, (*way, key))


def _entry(place: Any, key: Any, otherwise: Any = None) -> Any:
    """What stands there, as far as earlier changes have left it."""
    if isinstance(place, list):
        return place[key] if isinstance(key, int) and key < len(place) else otherwise
    return place.get(key, otherwise) if isinstance(place, dict) else otherwise


with open_bundle(BYTE_GOLDEN) as opened:
    MANIFEST = json.loads(encode_manifest(opened.manifest, "x"))


@given(st.lists(st.tuples(st.sampled_from(list(ways(MANIFEST))), plain | st.just(...)), min_size=1, max_size=3))
@settings(deadline=None, max_examples=100)
def test_any_entry_of_a_manifest_may_be_anything_or_missing(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    changed = copy.deepcopy(MANIFEST)
    for way, value in changes:
        place = changed
        for key in way[:-1]:
            place = _entry(place, key)
        if _entry(place, way[-1], ...) is ...:
            continue
        if value is ...:
            del place[way[-1]]
        else:
            place[way[-1]] = value
    data = json.dumps(changed, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    refusal = None
    try:
        assert encode_manifest(decode_manifest(data, "x"), "x") == data
    except BundleError as error:
        refusal = error
    if refusal is not None:
        assert refusal.fault
        assert str(refusal).count("\n") <= 1
