"""What is written is read again, with the same bytes every time, also by stock tools."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from orilla_runtime.bundle.codec import decode_manifest, encode_manifest, manifest_as_json
from orilla_runtime.bundle.manifest import FileEntry
from orilla_runtime.bundle.reader import is_bundle, open_bundle
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.errors import BundleError, UsageError
from tests.runtime.bundle.samples import BYTE_GOLDEN, sample


@pytest.fixture
def bundle_path(tmp_path: Path) -> Path:
    path = tmp_path / "parts.orilla"
    sample().write(path)
    return path


def test_everything_comes_back(tmp_path: Path) -> None:
    source = sample()
    id_ = source.write(tmp_path / "parts.orilla")
    files = tuple(
        FileEntry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(source.entries.items())
    )
    with open_bundle(tmp_path / "parts.orilla", expected_id=id_) as bundle:
        assert bundle.id == id_
        assert bundle.manifest == replace(source.manifest, files=files)
        assert {name: bundle.read(name) for name in source.entries} == source.entries
        bundle.verify()


def test_same_input_same_bytes(tmp_path: Path) -> None:
    source = sample()
    ids = [
        source.write(tmp_path / "a"),
        replace(source, entries=dict(reversed(source.entries.items()))).write(tmp_path / "b"),
    ]
    assert ids[0] == ids[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_files_are_copied_like_bytes(tmp_path: Path) -> None:
    source = sample()
    paths = {}
    for number, (name, data) in enumerate(source.entries.items()):
        paths[name] = tmp_path / str(number)
        paths[name].write_bytes(data)
    source.write(tmp_path / "bytes.orilla")
    write_bundle(tmp_path / "files.orilla", source.manifest, paths)
    assert (tmp_path / "bytes.orilla").read_bytes() == (tmp_path / "files.orilla").read_bytes()


def test_byte_golden(tmp_path: Path) -> None:
    """The format of version 1 does not drift; see samples.py for the command that writes the file again."""
    sample().write(tmp_path / "now.orilla")
    assert (tmp_path / "now.orilla").read_bytes() == BYTE_GOLDEN.read_bytes()
    with open_bundle(BYTE_GOLDEN) as bundle:
        assert bundle.id == hashlib.sha256(zipfile.ZipFile(BYTE_GOLDEN).read("manifest.json")).hexdigest()
        bundle.verify()


def test_stock_zip_tools_open_it(bundle_path: Path) -> None:
    with zipfile.ZipFile(bundle_path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "manifest.json"
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        assert {info.filename: archive.read(info) for info in archive.infolist()[1:]} == sample().entries


def test_manifest_round_trip_and_plain_form() -> None:
    manifest = sample().manifest
    data = encode_manifest(manifest, "parts")
    assert decode_manifest(data, "parts") == manifest
    plain = manifest_as_json(manifest)
    assert plain["task"]["labels"] == list(manifest.task.labels)
    assert data.decode().endswith(
        '"temperature":1.0},"training":{"data_digest":null,"history":[{"loss":0.25}],"seed":7}}\n'
    )


@pytest.mark.parametrize(
    "name",
    [
        "artifacts/parts-int8.tflite",
        "parts-int8.tflite",
        "tflite:int8",
        "tflite:int8,calibration=100",
        "tflite",
    ],
)
def test_an_artifact_has_many_names(bundle_path: Path, name: str) -> None:
    with open_bundle(bundle_path) as bundle:
        assert bundle.artifact(name).path == "artifacts/parts-int8.tflite"


def test_unknown_and_ambiguous_artifacts_are_usage_errors(tmp_path: Path) -> None:
    source = sample()
    twin = replace(
        source.manifest.artifacts[1], path="artifacts/parts-int8-2.tflite", recipe="tflite:int8,calibration=9"
    )
    more = source.with_manifest(artifacts=(*source.manifest.artifacts, twin), golden=None)
    replace(more, entries={**source.entries, twin.path: b"x"}).write(tmp_path / "parts.orilla")
    with open_bundle(tmp_path / "parts.orilla") as bundle:
        with pytest.raises(UsageError, match=r"parts-int8\.tflite"):
            bundle.artifact("tflite:float16")
        with pytest.raises(UsageError, match=r"2 artifacts"):
            bundle.artifact("tflite:int8")
        with pytest.raises(UsageError, match=r"no entry"):
            bundle.read("../etc/passwd")


def test_threads_share_one_bundle(bundle_path: Path) -> None:
    source, failures = sample(), []

    def read_all() -> None:
        for _ in range(30):
            failures.extend(name for name, data in source.entries.items() if bundle.read(name) != data)

    with open_bundle(bundle_path) as bundle:
        threads = [threading.Thread(target=read_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_closed_bundle_says_so(bundle_path: Path) -> None:
    bundle = open_bundle(bundle_path)
    bundle.close()
    bundle.close()
    with pytest.raises(UsageError, match="closed"):
        bundle.read("report/index.html")


def test_is_bundle_by_suffix_or_content(bundle_path: Path, tmp_path: Path) -> None:
    renamed = bundle_path.rename(tmp_path / "parts.zip")
    assert is_bundle(renamed)
    assert is_bundle("not-there.ORILLA")
    assert not is_bundle(tmp_path)
    assert not is_bundle(tmp_path / "not-there.onnx")
    (tmp_path / "short.onnx").write_bytes(b"PK")
    assert not is_bundle(tmp_path / "short.onnx")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("metadata.json", "{}")
    assert not is_bundle(tmp_path / "other.zip")


def test_the_id_is_checked(bundle_path: Path) -> None:
    id_ = sample().write(bundle_path)
    open_bundle(bundle_path, expected_id=id_.upper()).close()
    with pytest.raises(BundleError, match=id_) as caught:
        open_bundle(bundle_path, expected_id="0" * 64)
    assert caught.value.fault == "wrong-id"
    assert pickle.loads(pickle.dumps(caught.value)).fault == "wrong-id"
    with pytest.raises(UsageError, match="64 hexadecimal"):
        open_bundle(bundle_path, expected_id=id_[:12])


def test_opening_needs_no_engine(bundle_path: Path) -> None:
    program = (
        "import sys; from orilla_runtime.bundle.reader import open_bundle; open_bundle(sys.argv[1]).close();"
        "print([m for m in ('ai_edge_litert', 'onnxruntime', 'tensorflow', 'zipfile') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program, bundle_path], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() in {"[]", "['zipfile']"}
