"""Hostile raw bundles: what their manifests and golden files pretend is refused by the name of its fault."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla_runtime.bundle.codec import manifest_as_json
from orilla_runtime.bundle.golden import self_test
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import BundleError
from tests.attacks.forge import Forged, forge, spelled
from tests.runtime.bundle.test_raw_bundle import raw_sample

Change = Callable[[dict[str, Any]], object]


def forged(change: Change, entries: dict[str, bytes] | None = None) -> bytes:
    """A raw bundle whose manifest was changed in place, hashes and all; `entries` take the place of its files."""
    manifest, files = raw_sample()
    files |= entries or {}
    plain = manifest_as_json(manifest)
    plain["files"] = [
        {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    change(plain)
    bodies = (Forged(name.encode(), data) for name, data in sorted(files.items()))
    return forge([Forged(b"manifest.json", spelled(plain)), *bodies])


def inside(*path: str | int, value: Any) -> Change:
    """Another value deep inside."""

    def change(plain: Any) -> None:
        for step in path[:-1]:
            plain = plain[step]
        plain[path[-1]] = value

    return change


def unpictured(plain: dict[str, Any]) -> None:
    del plain["golden"]["picture"]


def classifier(plain: dict[str, Any]) -> None:
    """Of a classifier, as far as the features go."""
    plain["features"] = []


FORGED: dict[str, tuple[str, Change]] = {
    "a classifier's features": ("missing-key", classifier),
    "a feature of tomorrow": ("unknown-feature", inside("features", value=["raw", "tomorrow"])),
    "a strange key": ("unknown-key", inside("task", "labels", value=["a", "b"])),
    "a classifier's task": ("wrong-value", inside("task", "name", value="classification")),
    "preprocess of no input": ("wrong-type", inside("preprocess", value=[])),
    "preprocess of another size": ("wrong-tensor", inside("preprocess", "view", "size", value=[6, 4])),
    "a tensor called like a path": ("wrong-tensor", inside("artifacts", 0, "inputs", 0, "name", value="../angles")),
    "a tensor of a terminal's code": ("wrong-value", inside("artifacts", 0, "inputs", 0, "name", value="\x1b[2J")),
    "a side that is no number": ("wrong-type", inside("artifacts", 0, "outputs", 0, "shape", value=[1, "4"])),
    "a span below zero": ("wrong-value", inside("artifacts", 0, "metrics", "outputs", 0, "span", value=-1.0)),
    "a default outside": ("unknown-artifact", inside("defaults", "tflite", value="../../x.tflite")),
    "a golden file outside": ("missing-entry", inside("golden", "inputs", 0, "path", value="../angles.npy")),
    "a golden file of the report": ("missing-entry", inside("golden", "outputs", 0, "path", value="report/x.npy")),
    "a golden output of no artifact": ("unknown-artifact", inside("golden", "outputs", 0, "artifact", value="x")),
    "golden data of another kind": ("wrong-value", inside("golden", "kind", value="true")),
    "no golden picture": ("missing-key", unpictured),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_manifest_is_refused(case: str, tmp_path: Path) -> None:
    fault, change = FORGED[case]
    (tmp_path / "x.orilla").write_bytes(forged(change))
    with pytest.raises(BundleError) as caught:
        open_bundle(tmp_path / "x.orilla")
    assert caught.value.fault == fault, caught.value
    assert len(str(caught.value).splitlines()) <= 2
    assert "\x1b" not in str(caught.value)


def saved(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


GOLDEN = {
    "pickled objects": saved(np.array([{}], dtype=object), allow_pickle=True),
    "no array": b"hello",
    "an array that is cut": saved(np.zeros((2, 3), np.float32))[:-1],
    "other numbers": saved(np.zeros((2, 3), np.float64)),
    "another shape": saved(np.zeros((2, 4), np.float32)),
    "a header of 2**60 values": saved(np.zeros((2, 3), np.float32)).replace(b"(2, 3), }", b"(2, 1<<60)}"),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_a_forged_golden_file_never_reaches_an_engine(case: str, tmp_path: Path) -> None:
    manifest, _ = raw_sample()
    assert manifest.golden is not None
    (tmp_path / "x.orilla").write_bytes(forged(lambda plain: None, {manifest.golden.inputs[0].path: GOLDEN[case]}))
    with open_bundle(tmp_path / "x.orilla") as bundle:
        bundle.verify()
        with pytest.raises(BundleError):
            self_test(bundle, lambda *_: pytest.fail("an engine was asked"))


def test_the_unchanged_one_is_good(tmp_path: Path) -> None:
    (tmp_path / "x.orilla").write_bytes(forged(json.dumps))
    with open_bundle(tmp_path / "x.orilla") as bundle:
        bundle.verify()
