"""Raw bundles: everything comes back, and what contradicts itself is refused by the name of its fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.bundle import codec
from orilla_runtime.bundle.codec import decode_manifest, encode_manifest
from orilla_runtime.bundle.raw_golden import build_raw_golden
from orilla_runtime.bundle.raw_manifest import (
    OutputMetrics,
    RawArtifact,
    RawGate,
    RawManifest,
    RawMetrics,
    RawTaskInfo,
)
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.errors import BundleError, UsageError
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import Quantization, TensorSpec

PATH = "artifacts/x.tflite"
INPUTS = (TensorSpec("angles", (1, 3), "float32"), TensorSpec("view", (1, 4, 6, 3), "uint8", Quantization(0.5, 1)))
OUTPUTS = (TensorSpec("box", (1, 4), "float32"), TensorSpec("mask", (1, 2, 2, 1), "float32"))
METRICS = RawMetrics(9, (OutputMetrics("box", None, 1.0, 0.0, 2.0), OutputMetrics("mask", 31.5, 0.999, 0.1, 1.0)))


def raw_sample() -> tuple[RawManifest, dict[str, bytes]]:
    """A small, complete raw bundle; its artifact is nothing that an engine knows."""
    preprocess = {"view": Preprocess((4, 6))}
    golden, entries = build_raw_golden(
        preprocess=preprocess,
        inputs={"angles": np.zeros((2, 3), np.float32), "view": np.zeros((2, 4, 6, 3), np.uint8)},
        outputs={
            PATH: {"box": (np.ones((2, 4), np.float32), 0.1), "mask": (np.ones((2, 2, 2, 1), np.float32), 0.2)},
        },
        picture=None,
        kind="real",
    )
    artifact = RawArtifact(PATH, "tflite", "int8", INPUTS, OUTPUTS, "tflite:int8", METRICS, RawGate(15.0, 0.95, None))
    manifest = RawManifest(
        name="x",
        created_by="orilla 1",
        task=RawTaskInfo(),
        preprocess=preprocess,
        artifacts=(artifact,),
        defaults={"tflite": PATH},
        files=(),
        golden=golden,
    )
    return manifest, {PATH: b"model", **entries}


def test_everything_comes_back(tmp_path: Path) -> None:
    manifest, entries = raw_sample()
    write_bundle(tmp_path / "x.orilla", manifest, entries)
    with open_bundle(tmp_path / "x.orilla") as bundle:
        assert replace(bundle.manifest, files=()) == manifest
        assert bundle.manifest.features == ("raw",)
        with pytest.raises(UsageError, match="no classifier"):
            assert bundle.classifier


def test_a_reader_without_the_feature_refuses_it_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "x.orilla", *raw_sample())
    monkeypatch.setattr(codec, "FEATURES", frozenset())
    with pytest.raises(BundleError, match="'raw'") as caught:
        open_bundle(tmp_path / "x.orilla")
    assert caught.value.fault == "unknown-feature"


def with_artifact(**changes: Any) -> RawManifest:
    manifest, _ = raw_sample()
    return replace(manifest, artifacts=(replace(manifest.artifacts[0], **changes),))


def with_golden(**changes: Any) -> RawManifest:
    manifest, _ = raw_sample()
    assert manifest.golden is not None
    return replace(manifest, golden=replace(manifest.golden, **changes))


def golden_of(manifest: RawManifest) -> Any:
    return manifest.golden


WHOLE = golden_of(raw_sample()[0])
WRONG = {
    "no feature": (replace(raw_sample()[0], features=()), "missing-key"),
    "a feature twice": (replace(raw_sample()[0], features=("raw", "raw")), "wrong-value"),
    "another task": (replace(raw_sample()[0], task=RawTaskInfo("classification")), "wrong-value"),
    "a picture that is no input": (replace(raw_sample()[0], preprocess={"other": Preprocess((4, 6))}), "wrong-tensor"),
    "a picture of another size": (replace(raw_sample()[0], preprocess={"view": Preprocess((6, 4))}), "wrong-tensor"),
    "no inputs": (with_artifact(inputs=()), "wrong-tensor"),
    "a name twice": (with_artifact(outputs=(OUTPUTS[0], replace(OUTPUTS[1], name="view"))), "wrong-tensor"),
    "a strange name": (with_artifact(outputs=(OUTPUTS[0], replace(OUTPUTS[1], name="a b"))), "wrong-tensor"),
    "metrics of other outputs": (with_artifact(metrics=replace(METRICS, outputs=METRICS.outputs[:1])), "wrong-value"),
    "an impossible cosine": (
        with_artifact(metrics=RawMetrics(9, (replace(METRICS.outputs[0], cosine=1.5), METRICS.outputs[1]))),
        "wrong-value",
    ),
    "golden inputs in another order": (with_golden(inputs=WHOLE.inputs[::-1]), "wrong-tensor"),
    "a golden output left out": (with_golden(outputs=WHOLE.outputs[:1]), "unknown-artifact"),
    "a negative tolerance": (
        with_golden(outputs=(replace(WHOLE.outputs[0], tolerance=-1.0), WHOLE.outputs[1])),
        "wrong-value",
    ),
    "a golden file that is not there": (
        with_golden(inputs=(replace(WHOLE.inputs[0], path="golden/other.npy"), WHOLE.inputs[1])),
        "missing-entry",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_contradictions_are_refused(case: str, tmp_path: Path) -> None:
    manifest, fault = WRONG[case]
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path / "x.orilla", manifest, raw_sample()[1])
    assert caught.value.fault == fault, caught.value
    assert not list(tmp_path.iterdir())


PLAIN = json.loads(encode_manifest(raw_sample()[0], "x"))
KEYS = sorted(PLAIN)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(KEYS), VALUES)
def test_any_value_of_a_key_is_read_or_refused(key: str, value: Any) -> None:
    data = json.dumps(PLAIN | {key: value}, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    try:
        found = decode_manifest(data, "x")
    except BundleError:
        return
    assert encode_manifest(found, "x") == data
