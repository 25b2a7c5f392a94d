"""Hostile bundles: each is refused by the name of its fault, and no engine ever sees a byte of it."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orilla_runtime.bundle.golden import self_test
from orilla_runtime.bundle.manifest import Artifact
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import BundleError
from tests.attacks.forge import Forged, forge, good, manifest, named, spelled, with_artifact, with_last, with_manifest
from tests.runtime.bundle.samples import BYTE_GOLDEN, sample

GOOD = forge(good())
DEEP = b"[" * 100_000
ZEROS = bytes(1 << 20)


def changed(**values: Any) -> bytes:
    """A bundle whose manifest has other values for keys of its top level."""
    return forge(with_manifest(lambda plain: plain.update(values)))


def edited(old: bytes, new: bytes) -> bytes:
    """A bundle whose manifest's text has `new` for `old`."""
    text = spelled(manifest())
    assert text.count(old) >= 1
    return forge(good(text.replace(old, new, 1)))


def inside(*path: str | int, value: Any) -> bytes:
    """A bundle whose manifest has another value deep inside."""

    def change(plain: Any) -> None:
        for step in path[:-1]:
            plain = plain[step]
        plain[path[-1]] = value

    return forge(with_manifest(change))


def without(*path: str | int) -> bytes:
    """A bundle whose manifest lacks a key."""

    def change(plain: Any) -> None:
        for step in path[:-1]:
            plain = plain[step]
        del plain[path[-1]]

    return forge(with_manifest(change))


def overlapping() -> bytes:
    """The second artifact's record points into the first: the same bytes counted twice (a zip bomb's way)."""
    entries = good()
    return forge([entries[0], entries[1], Forged(entries[2].name, entries[2].data, offset=len(entries[0].data) + 50)])


def swapped() -> list[Forged]:
    head, first, second, *rest = good()
    return [head, second, first, *rest]


def zip64_end() -> bytes:
    """The zip64 end record and its locator before an end record that points to them."""
    locator = b"PK\x06\x07" + bytes(16)
    return GOOD[:-22] + b"PK\x06\x06" + bytes(52) + locator + GOOD[-22:-6] + b"\xff" * 4 + bytes(2)


def hidden() -> bytes:
    """A stray local header and its data behind the last entry, in no directory: some readers walk local headers."""
    stray = forge([Forged(b"artifacts/parts-int8.tflite", b"evil")])[: 30 + 27 + 4]
    return forge(with_last(behind=stray))


ARCHIVE: dict[str, tuple[str, Callable[[], bytes]]] = {
    # names
    "path traversal": ("entry-name", lambda: forge(named(b"artifacts/../../evil"))),
    "path traversal first": ("entry-name", lambda: forge(named(b"../evil"))),
    "dot part": ("entry-name", lambda: forge(named(b"artifacts/./evil"))),
    "absolute path": ("entry-name", lambda: forge(named(b"/etc/evil"))),
    "double slash": ("entry-name", lambda: forge(named(b"artifacts//evil"))),
    "drive": ("entry-name", lambda: forge(named(b"C:/evil"))),
    "drive without slash": ("entry-name", lambda: forge(named(b"C:evil"))),
    "alternate stream": ("entry-name", lambda: forge(named(b"report/a:b"))),
    "backslash": ("entry-name", lambda: forge(named(b"artifacts\\evil"))),
    "NUL": ("entry-name", lambda: forge(named(b"artifacts/x.tflite\x00.txt"))),
    "newline": ("entry-name", lambda: forge(named(b"artifacts/a\nb"))),
    "newline at the end": ("entry-name", lambda: forge(named(b"artifacts/a\n"))),
    "escape sequence": ("entry-name", lambda: forge(named(b"report/\x1b[2J"))),
    "folder entry": ("entry-name", lambda: forge(named(b"artifacts/"))),
    "empty name": ("entry-name", lambda: forge(named(b""))),
    "dot at the end": ("entry-name", lambda: forge(named(b"report/x."))),
    "space at the end": ("entry-name", lambda: forge(named(b"report/x "))),
    "hidden file": ("entry-name", lambda: forge(named(b"report/.x"))),
    "Windows device": ("entry-name", lambda: forge(named(b"report/nul.txt"))),
    "long name": ("entry-name", lambda: forge(named(b"report/" + b"x" * 300))),
    "overlong UTF-8": ("entry-name", lambda: forge(named(b"artifacts/\xc0\xae\xc0\xae/x"))),
    "Unicode name": ("entry-name", lambda: forge(named("report/ä".encode()))),
    "decomposed Unicode name": ("entry-name", lambda: forge(named("report/a\u0308".encode()))),
    "right-to-left override": ("entry-name", lambda: forge(named("report/\u202exyz".encode()))),
    "a file as a folder": ("entry-name", lambda: forge(named(b"report/index.html/x"))),
    "repeated entry": ("duplicate-entry", lambda: forge([*good(), good()[-1]])),
    "repeated manifest": ("duplicate-entry", lambda: forge([good()[0], *good()])),
    "names equal but for case": ("case-clash", lambda: forge(named(b"report/index.HTML"))),
    "manifest in capitals": ("case-clash", lambda: forge(named(b"MANIFEST.JSON"))),
    "entry elsewhere": ("entry-name", lambda: forge(sorted_behind(named(b"other/x")))),
    "entry without a folder": ("entry-name", lambda: forge(sorted_behind(named(b"x")))),
    # headers
    "symbolic link": ("link", lambda: forge(with_last(central={"mode": 0o120777 << 16}))),
    "executable": ("central-header", lambda: forge(with_last(central={"mode": 0o100755 << 16}))),
    "folder mode": ("central-header", lambda: forge(with_last(central={"mode": 0o040755 << 16}))),
    "another maker": ("central-header", lambda: forge(with_last(central={"made": 0x0014}))),
    "a date": ("central-header", lambda: forge(with_last(central={"date": 0x5921}, local={"date": 0x5921}))),
    "UTF-8 flag": ("central-header", lambda: forge(with_last(central={"flags": 0x800}, local={"flags": 0x800}))),
    "another disk": ("central-header", lambda: forge(with_last(central={"disk": 1}))),
    "packed size differs": ("central-header", lambda: forge(with_last(central={"packed": 9}))),
    "compressed": ("compressed", lambda: forge(with_artifact(**deflated()))),
    "compressed method only": ("compressed", lambda: forge(with_artifact(central={"method": 8}, local={"method": 8}))),
    "LZMA": ("compressed", lambda: forge(with_artifact(central={"method": 14}, local={"method": 14}))),
    "zip bomb": ("compressed", lambda: forge(with_artifact(**deflated(ZEROS)))),
    "encrypted": ("encrypted", lambda: forge(with_artifact(central={"flags": 1}, local={"flags": 1}))),
    "strongly encrypted": ("encrypted", lambda: forge(with_artifact(central={"flags": 0x41}))),
    "masked headers": ("encrypted", lambda: forge(with_artifact(central={"flags": 0x2000}))),
    "AES": ("compressed", lambda: forge(with_artifact(central={"method": 99}, local={"method": 99}))),
    "data descriptor": (
        "data-descriptor",
        lambda: forge(
            with_artifact(central={"flags": 8}, local={"flags": 8, "crc": 0}, behind=b"PK\x07\x08" + bytes(12))
        ),
    ),
    "extra field": ("extra-field", lambda: forge(with_artifact(central_extra=b"\x75\x70\x00\x00"))),
    "Unicode path field": ("extra-field", lambda: forge(with_artifact(central_extra=b"\x75\x70\x06\x00\x01evil!"))),
    "entry comment": ("comment", lambda: forge(with_artifact(comment=b"hello"))),
    "zip comment": ("comment", lambda: forge(good(), comment=b"hello")),
    "zip comment that ends a zip": ("comment", lambda: forge(good(), comment=b"PK\x05\x06" + bytes(16) + b"\x01\x00")),
    "local: another name": ("local-header", lambda: forge(with_artifact(local_name=b"artifacts/parts-float32.ONNX"))),
    "local: a shorter name": (
        "local-header",
        lambda: forge(with_artifact(local_name=b"artifacts/evil", extra=bytes(14))),
    ),
    "local: another size": ("local-header", lambda: forge(with_artifact(local={"size": 4}))),
    "local: another CRC": ("local-header", lambda: forge(with_artifact(local={"crc": 4}))),
    "local: compressed": ("local-header", lambda: forge(with_artifact(local={"method": 8}))),
    "local: encrypted": ("local-header", lambda: forge(with_artifact(local={"flags": 1}))),
    "local: extra field": ("gap", lambda: forge(with_artifact(extra=b"\x75\x70\x00\x00"))),
    "local: no header": ("local-header", lambda: GOOD.replace(b"PK\x03\x04", b"PK\x03\x05")),
    # places
    "overlapping entries": ("overlap", overlapping),
    "two records, one entry": ("overlap", lambda: forge([*good()[:2], Forged(b"report/x", b"", offset=0)])),
    "entry that swallows the next": ("overlap", lambda: forge(with_artifact(**sized(36)))),
    "bytes between entries": ("gap", lambda: forge(with_artifact(behind=b"x"))),
    "bytes before the directory": ("gap", lambda: forge(with_last(behind=b"x"))),
    "hidden entry": ("gap", hidden),
    "bytes behind the directory": ("gap", lambda: GOOD[:-22] + b"x" + GOOD[-22:]),
    "bytes before": ("leading-bytes", lambda: b"MZ" + GOOD),
    "a script before": ("leading-bytes", lambda: b"#!/bin/sh\nexit\n" + GOOD),
    "bytes before, offsets moved": ("leading-bytes", lambda: b"MZ" + forge(good(), shift=2)),
    "two bundles, one file": ("leading-bytes", lambda: GOOD + GOOD),
    "bytes behind": ("trailing-bytes", lambda: GOOD + b"\n"),
    "many bytes behind": ("trailing-bytes", lambda: GOOD + bytes(100_000)),
    "entries out of order": ("entry-order", lambda: forge(swapped())),
    "manifest last": ("entry-order", lambda: forge([*good()[1:], good()[0]])),
    "truncated": ("truncated", lambda: GOOD[:-1]),
    "truncated in the middle": ("truncated", lambda: GOOD[: len(GOOD) // 2]),
    "head cut off": ("truncated", lambda: GOOD[1:]),
    "only an end record": ("no-manifest", lambda: forge([])),
    "no manifest": ("no-manifest", lambda: forge(good()[1:])),
    "manifest in a folder": ("no-manifest", lambda: forge([Forged(b"x/manifest.json", b"{}")])),
    # sizes
    "huge entry": ("too-large", lambda: forge(with_artifact(**sized(2**31)))),
    "4 GiB less one": ("zip64", lambda: forge(with_artifact(**sized(2**32 - 1)))),
    "larger than the file": ("too-large", lambda: forge(with_artifact(**sized(2**24)))),
    "zip64 field": ("zip64", lambda: forge(with_artifact(central_extra=b"\x01\x00\x08\x00" + bytes(8)))),
    "zip64 offset": ("zip64", lambda: forge(with_artifact(central={"offset": 2**32 - 1}))),
    "zip64 end record": ("zip64", zip64_end),
    "65535 entries": ("zip64", lambda: forge(good(), end={"count": 65535, "here": 65535})),
    "too many entries": ("too-many-entries", lambda: forge(Forged(b"report/%05d" % i, b"") for i in range(5000))),
    "more entries claimed": ("central-header", lambda: forge(good(), end={"count": 99, "here": 99})),
    "fewer entries claimed": ("central-header", lambda: forge(good(), end={"count": 8, "here": 8})),
    "one entry claimed": ("central-header", lambda: forge(good(), end={"count": 1, "here": 1})),
    "split archive": ("end-record", lambda: forge(good(), end={"disk": 1})),
    "counts differ": ("end-record", lambda: forge(good(), end={"here": 1})),
    "directory behind the end": ("truncated", lambda: forge(good(), end={"offset": 2**30})),
    "directory too long": ("truncated", lambda: forge(good(), end={"size": 2**30})),
    # another file altogether
    "empty file": ("not-a-zip", lambda: b""),
    "text": ("not-a-zip", lambda: b"hello\n" * 100),
    "ONNX": ("not-a-zip", lambda: b"\x08\x0a\x12\x07pytorch" * 50),
    "TFLite": ("not-a-zip", lambda: b"\x1c\x00\x00\x00TFL3" * 50),
    "HTML": ("not-a-zip", lambda: b"<!doctype html>" * 50),
}


def sorted_behind(entries: list[Forged]) -> list[Forged]:
    return [entries[0], *sorted(entries[1:], key=lambda entry: entry.name)]


def sized(size: int) -> dict[str, Any]:
    """Both headers claim `size` bytes."""
    return {"local": {"packed": size, "size": size}, "central": {"packed": size, "size": size}}


def deflated(data: bytes = b"onnx " * 7) -> dict[str, Any]:
    """A rightly deflated entry of `data`."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    fields = {"method": 8, "crc": zlib.crc32(data), "size": len(data)}
    return {"data": packed, "local": fields, "central": fields}


MANIFEST: dict[str, tuple[str, Callable[[], bytes]]] = {
    # text
    "not JSON": ("not-json", lambda: forge(good(b"hello"))),
    "empty": ("not-json", lambda: forge(good(b""))),
    "half JSON": ("not-json", lambda: forge(good(spelled(manifest())[:-10]))),
    "two documents": ("not-json", lambda: forge(good(spelled(manifest()) * 2))),
    "UTF-16": ("not-json", lambda: forge(good(spelled(manifest()).decode().encode("utf-16")))),
    "Latin-1": (
        "not-json",
        lambda: forge(
            good(spelled(manifest()).decode().replace("„", "\xe4").replace("“", "").replace("–", "").encode("latin-1"))
        ),
    ),
    "byte order mark": ("not-json", lambda: forge(good(b"\xef\xbb\xbf" + spelled(manifest())))),
    "comment": ("not-json", lambda: forge(good(b"// hello\n" + spelled(manifest())))),
    "a list": ("wrong-type", lambda: forge(good(b"[]\n"))),
    "deep nesting": ("too-deep", lambda: forge(good(DEEP))),
    "deep objects": ("too-deep", lambda: forge(good(b'{"a":' * 100_000))),
    "deep nesting in extra": ("too-deep", lambda: changed(extra={"a": json.loads("[" * 31 + "]" * 31)})),
    "huge manifest": ("too-large", lambda: changed(extra={"a": "x" * (17 << 20)})),
    "huge integer": ("wrong-value", lambda: forge(good(b'{"schema":' + b"1" * 10_000 + b"}\n"))),
    "indented": ("not-canonical", lambda: forge(good(json.dumps(manifest(), indent=1, sort_keys=True).encode()))),
    "no line feed": ("not-canonical", lambda: forge(good(spelled(manifest())[:-1]))),
    "carriage return": ("not-canonical", lambda: forge(good(spelled(manifest())[:-1] + b"\r\n"))),
    "unsorted keys": (
        "not-canonical",
        lambda: forge(good(spelled(dict(reversed(manifest().items()))).replace(b'"', b' "', 1))),
    ),
    "escaped letter": ("not-canonical", lambda: edited(b"crane", b"cr\\u0061ne")),
    "lone surrogate": ("not-canonical", lambda: edited(b"crane", b"cr\\ud800ne")),
    "another spelling of a number": ("not-canonical", lambda: edited(b"0.0078125", b"7.8125e-3")),
    "NaN": ("not-finite", lambda: edited(b"24.5", b"NaN")),
    "infinity": ("not-finite", lambda: edited(b"24.5", b"-Infinity")),
    "infinity as a number": ("not-finite", lambda: edited(b"24.5", b"1e999")),
    # keys
    "repeated key": ("repeated-key", lambda: edited(b'"name":"parts"', b'"name":"parts","name":"parts"')),
    "repeated key inside": ("repeated-key", lambda: edited(b'"crop_fraction":', b'"fit":"crop","crop_fraction":')),
    "repeated key by escape": ("repeated-key", lambda: edited(b'"name":"parts"', b'"n\\u0061me":"x","name":"parts"')),
    "unknown key": ("unknown-key", lambda: changed(exec="rm -rf /")),
    "unknown key inside": ("unknown-key", lambda: inside("artifacts", 0, "loader", value="pickle")),
    "unknown key in preprocess": ("unknown-key", lambda: inside("preprocess", "script", value="x")),
    "unknown key of a megabyte": ("unknown-key", lambda: changed(**{"x" * (1 << 20): 1})),
    "unknown key with an escape sequence": ("unknown-key", lambda: changed(**{"\x1b[2J": 1})),
    "target with an escape sequence": ("wrong-type", lambda: inside("defaults", "\x1b[2J", value=1)),
    "missing key": ("missing-key", lambda: without("files")),
    "missing key inside": ("missing-key", lambda: without("preprocess", "fit")),
    "no schema": ("wrong-value", lambda: without("schema")),
    "unknown feature": ("unknown-feature", lambda: changed(features=["encrypted-weights"])),
    "feature of a megabyte": ("unknown-feature", lambda: changed(features=["x" * (1 << 20)])),
    "newer schema": ("newer-schema", lambda: changed(schema=2)),
    "newer schema with unknown keys": ("newer-schema", lambda: changed(schema=2, tensors=[], files="elsewhere")),
    "newer schema, another spelling": ("newer-schema", lambda: forge(good(b'{ "schema": 3 }'))),
    "schema 0": ("wrong-value", lambda: changed(schema=0)),
    "schema true": ("wrong-value", lambda: changed(schema=True)),
    "schema as text": ("wrong-value", lambda: changed(schema="1")),
    "schema 1.0": ("wrong-value", lambda: changed(schema=1.0)),
    # values
    "number for text": ("wrong-type", lambda: changed(name=7)),
    "text for list": ("wrong-type", lambda: inside("task", "labels", value="abc")),
    "integer for float": ("wrong-type", lambda: inside("task", "temperature", value=1)),
    "boolean for integer": ("wrong-type", lambda: inside("preprocess", "pad", value=True)),
    "null for object": ("wrong-type", lambda: changed(task=None)),
    "features as text": ("wrong-type", lambda: changed(features="none")),
    "extra as list": ("wrong-type", lambda: changed(extra=[])),
    "size of three": ("wrong-value", lambda: inside("preprocess", "size", value=[4, 6, 3])),
    "size of a terabyte": ("wrong-value", lambda: inside("preprocess", "size", value=[1_000_000, 1_000_000])),
    "fit by another name": ("wrong-value", lambda: inside("preprocess", "fit", value="import os")),
    "four scales": ("wrong-value", lambda: inside("preprocess", "scale", value=[1.0] * 4)),
    "empty label": ("wrong-value", lambda: inside("task", "labels", 0, value="")),
    "escape sequence in a label": ("wrong-value", lambda: inside("task", "labels", 0, value="\x1b]0;owned\x07")),
    # tensors
    "wrong tensor: labels": ("wrong-tensor", lambda: inside("task", "labels", value=["a"] * 1000)),
    "wrong tensor: input": ("wrong-tensor", lambda: inside("artifacts", 1, "inputs", 0, "shape", value=[1, 4, 6, 4])),
    "wrong tensor: dtype": ("wrong-tensor", lambda: inside("artifacts", 1, "inputs", 0, "dtype", value="string")),
    "wrong tensor: output": ("wrong-tensor", lambda: inside("artifacts", 1, "outputs", 0, "shape", value=[1, 9])),
    "wrong tensor: negative": ("wrong-tensor", lambda: inside("artifacts", 1, "outputs", 0, "shape", value=[-1, 3])),
    "wrong tensor: two inputs": (
        "wrong-tensor",
        lambda: inside("artifacts", 0, "inputs", value=manifest()["artifacts"][0]["inputs"] * 2),
    ),
    "wrong tensor: scale 0": (
        "wrong-tensor",
        lambda: inside("artifacts", 1, "inputs", 0, "quantization", "scale", value=0.0),
    ),
    # files
    "artifact outside": ("missing-entry", lambda: inside("artifacts", 0, "path", value="../evil.onnx")),
    "artifact not listed": ("missing-entry", lambda: inside("artifacts", 0, "path", value="artifacts/evil.onnx")),
    "default outside": ("unknown-artifact", lambda: inside("defaults", "onnx", value="/tmp/evil.onnx")),
    "golden outside": ("missing-entry", lambda: inside("golden", "picture", value="/dev/zero")),
    "golden without an artifact": ("unknown-artifact", lambda: inside("golden", "outputs", value=[])),
    "listed and not there": ("missing-entry", lambda: forge(good()[:-1])),
    "there and not listed": ("unlisted-entry", lambda: forge([*good(), Forged(b"report/x", b"")])),
    "wrong size": ("wrong-size", lambda: inside("files", 0, "bytes", value=34)),
    "hash in capitals": ("wrong-value", lambda: inside("files", 0, "sha256", value="A" * 64)),
    "files unsorted": ("wrong-value", lambda: changed(files=manifest()["files"][::-1])),
    "file listed twice": ("wrong-value", lambda: changed(files=[manifest()["files"][0], *manifest()["files"]])),
}


def never(artifact: Artifact, model: bytes) -> Any:
    raise AssertionError("an engine saw bytes of a hostile bundle")


def test_the_forge_makes_the_writers_bytes() -> None:
    """Else the attacks would be refused for a reason of their own."""
    assert BYTE_GOLDEN.read_bytes() == GOOD


@pytest.mark.parametrize("attack", [*ARCHIVE, *(f"manifest: {name}" for name in MANIFEST)])
def test_refused_when_opened(attack: str, tmp_path: Path) -> None:
    fault, make = MANIFEST[attack.removeprefix("manifest: ")] if attack not in ARCHIVE else ARCHIVE[attack]
    path = tmp_path / "evil.orilla"
    path.write_bytes(make())
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    assert caught.value.fault == fault, caught.value.message
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.remedy
    # No control character of the file reaches a terminal, and there are two short lines.
    told = str(caught.value).removeprefix(str(path))
    assert all(line.isprintable() and len(line) < 400 for line in told.split("\n"))
    assert told.count("\n") == 1


@pytest.mark.parametrize("name", sorted(name for name, data in sample().entries.items() if data))
def test_wrong_hash_is_refused_when_read(name: str, tmp_path: Path) -> None:
    """The attacker changed the bytes and repaired every CRC, but not the manifest."""
    evil = [
        Forged(entry.name, bytes(byte ^ 1 for byte in entry.data) if entry.name.decode() == name else entry.data)
        for entry in good()
    ]
    (tmp_path / "evil.orilla").write_bytes(forge(evil))
    with open_bundle(tmp_path / "evil.orilla") as bundle:
        for read in (lambda: bundle.read(name), bundle.verify):
            with pytest.raises(BundleError, match=name) as caught:
                read()
            assert caught.value.fault == "wrong-hash"
        if name.startswith(("artifacts/parts-float32", "golden/inputs", "golden/tensor", "golden/picture")):
            with pytest.raises(BundleError):
                self_test(bundle, never)


def test_wrong_crc_is_refused_when_read(tmp_path: Path) -> None:
    """Stock unzip would refuse it, so the two must not disagree."""
    (tmp_path / "evil.orilla").write_bytes(forge(with_artifact(local={"crc": 1}, central={"crc": 1})))
    with open_bundle(tmp_path / "evil.orilla") as bundle, pytest.raises(BundleError) as caught:
        bundle.read("artifacts/parts-float32.onnx")
    assert caught.value.fault == "wrong-crc"


def test_a_bundle_that_changes_while_it_is_open(tmp_path: Path) -> None:
    """Checked at open and swapped afterwards: what is read is hashed then, not before."""
    path = tmp_path / "parts.orilla"
    name, source = "artifacts/parts-int8.tflite", sample()
    large = replace(source, entries={**source.entries, name: bytes(100_000)})
    large.write(path)
    with open_bundle(path) as bundle:
        with path.open("r+b") as file:
            file.write(b"x" * 90_000)
        with pytest.raises(BundleError) as caught:
            bundle.read(name)
        assert caught.value.fault == "wrong-hash"
        os.truncate(path, 100)
        with pytest.raises(BundleError) as caught:
            bundle.read(name)
        assert caught.value.fault == "truncated"


def test_a_sparse_file_of_terabytes_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge.orilla"
    path.write_bytes(GOOD)
    os.truncate(path, 2**31)
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    assert caught.value.fault == "too-large"


def test_what_is_no_file_neither_hangs_nor_raises_anything_else(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.orilla")
    (tmp_path / "loop.orilla").symlink_to("loop.orilla")
    (tmp_path / "folder.orilla").mkdir()
    for path, fault in (
        (tmp_path / "pipe.orilla", "not-a-file"),
        (tmp_path / "folder.orilla", "not-a-file"),
        (tmp_path / "none.orilla", "no-file"),
        (tmp_path / "loop.orilla", "no-file"),
        (tmp_path / "none" / "x.orilla", "no-file"),
        (tmp_path / ("x" * 300), "unreadable"),
        (Path("/dev/zero"), "not-a-file"),
    ):
        with pytest.raises(BundleError, match=str(path)) as caught:
            open_bundle(path)
        assert caught.value.fault == fault


def test_a_file_whose_reads_fail() -> None:
    path = Path("/proc/self/mem")
    if not path.exists():
        pytest.skip("needs a file that opens and cannot be read: Linux has one")
    with pytest.raises(BundleError, match=str(path)) as caught:
        open_bundle(path)
    assert caught.value.fault == "unreadable"
