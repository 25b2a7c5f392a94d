"""A small, complete bundle for the tests. Its artifacts are bytes that no engine knows: the reader never runs them.

`python -m tests.runtime.bundle.samples` writes tests/golden/bundle_v1.orilla again. Do so only when the format is
meant to change: bundles in the field keep the old form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import encode_array
from orilla_runtime.bundle.golden import build_golden
from orilla_runtime.bundle.manifest import (
    Accuracy,
    Artifact,
    Gate,
    Golden,
    GoldenOutput,
    Manifest,
    Metrics,
    TaskInfo,
)
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import Quantization, TensorSpec

BYTE_GOLDEN = Path(__file__).parents[2] / "golden" / "bundle_v1.orilla"

LABELS = ("crane", "crane", "Fräse „K3“")
# Every field is given: a new default elsewhere is no change of the format.
PREPROCESS = Preprocess(
    (4, 6), "crop", 0.875, pad=0, channels="rgb", interpolation="area", dtype="uint8", layout="NHWC", scale=(1.0,)
)
# The smallest PNG there is, one grey pixel: what OpenCV would write depends on its version.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080000000"
    "03a7e9b550000000a4944415478da63680000008200814cb8d1c00000000049454e44ae426082"
)


@dataclass(frozen=True)
class Sample:
    """What `write_bundle` takes."""

    manifest: Manifest
    entries: dict[str, bytes]

    def write(self, path: Path) -> str:
        return write_bundle(path, self.manifest, self.entries)

    def with_manifest(self, **changes: Any) -> Sample:
        return replace(self, manifest=replace(self.manifest, **changes))


def sample() -> Sample:
    """Two artifacts, golden data and a report; the same bytes everywhere."""
    outputs = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    entries = {
        "artifacts/parts-float32.onnx": b"onnx " * 7,
        "artifacts/parts-int8.tflite": bytes(range(256)),
        "golden/inputs.npy": encode_array(np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)),
        "golden/outputs-0.npy": encode_array(outputs),
        "golden/outputs-1.npy": encode_array(outputs),
        "golden/picture.png": PNG,
        "golden/tensor.npy": encode_array(np.zeros((1, 4, 6, 3), np.uint8)),
        "report/index.html": b"",
    }
    golden = Golden(
        kind="drawn",
        inputs="golden/inputs.npy",
        outputs=(
            GoldenOutput("artifacts/parts-float32.onnx", "golden/outputs-0.npy", 1e-5),
            GoldenOutput("artifacts/parts-int8.tflite", "golden/outputs-1.npy", 0.02),
        ),
        picture="golden/picture.png",
        tensor="golden/tensor.npy",
    )
    manifest = Manifest(
        name="parts",
        created_by="orilla 0.1.0",
        task=TaskInfo("classification", LABELS),
        preprocess=PREPROCESS,
        artifacts=(onnx_artifact(), tflite_artifact()),
        defaults={"onnx": "artifacts/parts-float32.onnx", "tflite": "artifacts/parts-int8.tflite"},
        files=(),
        golden=golden,
        training={"seed": 7, "history": [{"loss": 0.25}], "data_digest": None},
        extra={"line": "3 – Süd"},
    )
    return Sample(manifest, entries)


def onnx_artifact() -> Artifact:
    return Artifact(
        path="artifacts/parts-float32.onnx",
        format="onnx",
        precision="float32",
        inputs=(TensorSpec("image", (None, 4, 6, 3), "uint8"),),
        outputs=(TensorSpec("probabilities", (None, 3), "float32"),),
        recipe="onnx:float32",
        metrics=Metrics(100, 1.0, None, 0.0),
    )


def tflite_artifact() -> Artifact:
    accuracy = Accuracy(100, 0.97, 0.915, 0.99)
    return Artifact(
        path="artifacts/parts-int8.tflite",
        format="tflite",
        precision="int8",
        inputs=(TensorSpec("image", (1, 4, 6, 3), "uint8", Quantization(0.0078125, 127)),),
        outputs=(TensorSpec("probabilities", (1, 3), "float32"),),
        recipe="tflite:int8,calibration=100",
        metrics=Metrics(100, 0.99, 24.5, 0.031, accuracy, accuracy),
        gate=Gate(0.95, 18.0, 0.01),
        repairs=("equalized: channels of depthwise_2 differed by 2^9",),
    )


def real_sample(preprocess: Preprocess = PREPROCESS) -> tuple[Sample, NDArray[np.float32]]:
    """As `sample`, with golden data as a converter makes them; also the outputs of both artifacts, [2, 3]."""
    base = sample()
    random = np.random.default_rng(5)
    height, width = preprocess.size
    inputs = random.integers(0, 256, (2, height, width, preprocess.depth), np.uint8)
    picture = random.integers(0, 256, (37, 53, 3), np.uint8)
    outputs = random.random((2, 3), np.float32)
    golden, entries = build_golden(
        preprocess=preprocess,
        inputs=inputs,
        outputs={artifact.path: (outputs, 0.01) for artifact in base.manifest.artifacts},
        picture=picture,
        kind="drawn",
    )
    shape = preprocess.shape
    artifacts = tuple(
        replace(artifact, inputs=(TensorSpec("image", shape, preprocess.dtype),))
        for artifact in base.manifest.artifacts
    )
    kept = {name: data for name, data in base.entries.items() if not name.startswith("golden/")}
    changed = base.with_manifest(golden=golden, preprocess=preprocess, artifacts=artifacts)
    return replace(changed, entries={**kept, **entries}), outputs


if __name__ == "__main__":
    sample().write(BYTE_GOLDEN)
