"""The self-test passes where the same is computed, and says by how much where not."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from orilla_runtime.bundle.golden import GoldenCheck, build_golden, decode_array, encode_array, self_test
from orilla_runtime.bundle.manifest import Artifact
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import BundleError, ModelError, UsageError
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import Quantization, TensorSpec
from tests.runtime.bundle.samples import PNG, PREPROCESS, Sample, real_sample, sample

FLOAT = Preprocess((4, 6), dtype="float32", layout="NCHW", scale=(0.5, 0.25, 1.0), offset=(-1.0, 0.0, 3.0))
GREY = Preprocess((4, 6), channels="grey", fit="letterbox", dtype="float32", scale=(1 / 255,))


class Replayed:
    """An engine's session that gives known rows, one a call, and keeps what it was given."""

    inputs: tuple[TensorSpec, ...] = ()
    device = "cpu"

    def __init__(self, rows: NDArray[Any], spec: TensorSpec | None = None) -> None:
        self.outputs = (spec or TensorSpec("probabilities", (1, 3), "float32"),)
        self.seen: list[NDArray[Any]] = []
        self.closed = False
        self._rows = iter(rows)

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        self.seen.append(tensors[0].copy())
        return (next(self._rows)[np.newaxis],)

    def close(self) -> None:
        self.closed = True


def checks_of(
    path: Path, source: Sample, open_session: Callable[[Artifact, bytes], Replayed], **options: Any
) -> tuple[GoldenCheck, ...]:
    source.write(path / "x.orilla")
    with open_bundle(path / "x.orilla") as bundle:
        return self_test(bundle, open_session, **options)


def test_the_same_outputs_pass(tmp_path: Path) -> None:
    source, outputs = real_sample()
    sessions: list[Replayed] = []

    def open_session(artifact: Artifact, data: bytes) -> Replayed:
        assert data == source.entries[artifact.path]
        sessions.append(Replayed(outputs))
        return sessions[-1]

    checks = checks_of(tmp_path, source, open_session)
    assert [(check.subject, check.passed, check.error) for check in checks] == [
        ("preprocess", True, 0.0),
        ("artifacts/parts-float32.onnx", True, 0.0),
        ("artifacts/parts-int8.tflite", True, 0.0),
    ]
    inputs = decode_array(source.entries["golden/inputs.npy"], "inputs")
    assert all(session.closed and np.array_equal(np.concatenate(session.seen), inputs) for session in sessions)
    assert sessions[0].seen[0].shape == (1, 4, 6, 3)


@pytest.mark.parametrize("preprocess", [FLOAT, GREY, replace(FLOAT, channels="bgr", layout="NHWC")])
def test_scaled_inputs_are_made_by_preprocess(tmp_path: Path, preprocess: Preprocess) -> None:
    source, outputs = real_sample(preprocess)
    sessions: list[Replayed] = []

    def open_session(artifact: Artifact, data: bytes) -> Replayed:
        sessions.append(Replayed(outputs))
        return sessions[-1]

    assert all(check.passed for check in checks_of(tmp_path, source, open_session))
    pixels = decode_array(source.entries["golden/inputs.npy"], "inputs").astype(np.float32)
    expected = pixels * np.float32(preprocess.scale) + np.float32(preprocess.offset)
    if preprocess.layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(np.concatenate(sessions[0].seen), expected, rtol=1e-6)


def test_a_difference_is_measured_in_real_numbers(tmp_path: Path) -> None:
    source, outputs = real_sample()
    stored = np.rint(outputs * 256).astype(np.uint8)
    stored[1, 2] ^= 16
    spec = TensorSpec("probabilities", (1, 3), "uint8", Quantization(1 / 256, 0))
    only = {"artifacts/parts-int8.tflite"}
    _, check = checks_of(tmp_path, source, lambda artifact, data: Replayed(stored, spec), only=only)
    assert not check.passed
    assert check.error == pytest.approx(16 / 256, abs=1 / 256)
    assert "0.01 is allowed" in check.detail


def test_what_cannot_be_compared_fails_with_its_reason(tmp_path: Path) -> None:
    source, outputs = real_sample()
    rows = {"onnx": outputs[:, :2], "tflite": np.full_like(outputs, np.nan)}
    _, onnx, tflite = checks_of(tmp_path, source, lambda artifact, data: Replayed(rows[artifact.format]))
    assert (onnx.passed, onnx.error, tflite.passed, tflite.error) == (False, None, False, None)
    assert "[1, 2]" in onnx.detail
    assert "finite" in tflite.detail

    def refuse(artifact: Artifact, data: bytes) -> Replayed:
        raise ModelError("The operator FOO is not known.", "Update.")

    _, onnx, _ = checks_of(tmp_path, source, refuse)
    assert (onnx.passed, onnx.detail) == (False, "The operator FOO is not known.")


def test_another_preprocessing_is_seen(tmp_path: Path) -> None:
    """The stored tensor was made with a crop; a device that stretches gives another."""
    source, outputs = real_sample()
    stretched = source.with_manifest(preprocess=replace(PREPROCESS, fit="stretch"))
    check, *_ = checks_of(tmp_path, stretched, lambda artifact, data: Replayed(outputs))
    assert not check.passed
    assert check.error is not None
    assert check.error > check.tolerance == 2


def test_no_golden_no_checks(tmp_path: Path) -> None:
    assert checks_of(tmp_path, sample().with_manifest(golden=None), lambda artifact, data: Replayed(np.zeros(3))) == ()


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("golden/inputs.npy", encode_array(np.zeros((2, 6, 4, 3), np.uint8)), "wrong-tensor"),
        ("golden/inputs.npy", encode_array(np.zeros((0, 4, 6, 3), np.uint8)), "wrong-tensor"),
        ("golden/inputs.npy", encode_array(np.zeros((2, 4, 6, 3), np.int8)), "wrong-tensor"),
        ("golden/inputs.npy", b"", "wrong-tensor"),
        ("golden/tensor.npy", encode_array(np.zeros((4, 6, 3), np.uint8)), "wrong-tensor"),
        ("golden/outputs-0.npy", encode_array(np.zeros((3, 3), np.float32)), "wrong-tensor"),
        ("golden/outputs-0.npy", encode_array(np.zeros((), np.float32)), "wrong-tensor"),
        ("golden/picture.png", b"GIF89a", "wrong-picture"),
        ("golden/picture.png", PNG[:40], "wrong-picture"),
        ("golden/picture.png", PNG[:16] + b"\xff" * 8 + PNG[24:], "wrong-picture"),
        ("golden/picture.png", PNG[:16] + b"\x00" * 8 + PNG[24:], "wrong-picture"),
    ],
)
def test_damaged_golden_data_stop_before_the_engine(tmp_path: Path, name: str, data: bytes, fault: str) -> None:
    source, _ = real_sample()

    def never(artifact: Artifact, model: bytes) -> Replayed:
        raise AssertionError("the engine was called")

    with pytest.raises(BundleError, match=name) as caught:
        checks_of(tmp_path, replace(source, entries={**source.entries, name: data}), never)
    assert caught.value.fault == fault


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        (np.zeros((2, 4, 6, 1), np.uint8), np.zeros((2, 3), np.float32)),
        (np.zeros((0, 4, 6, 3), np.uint8), np.zeros((0, 3), np.float32)),
        (np.zeros((2, 4, 6, 3), np.float32), np.zeros((2, 3), np.float32)),
        (np.zeros((2, 4, 6, 3), np.uint8), np.zeros((1, 3), np.float32)),
        (np.zeros((2, 4, 6, 3), np.uint8), np.full((2, 3), np.inf, np.float32)),
    ],
)
def test_build_golden_refuses_what_does_not_fit(inputs: NDArray[Any], output: NDArray[Any]) -> None:
    picture = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UsageError, match="olden"):
        build_golden(preprocess=PREPROCESS, inputs=inputs, outputs={"a": (output, 0.1)}, picture=picture, kind="real")


@given(
    npst.arrays(st.sampled_from(["|u1", "|i1", "<i4", "<f2", "<f4", ">f4"]), npst.array_shapes(min_dims=0, min_side=0))
)
def test_arrays_round_trip_as_numpy_writes_them(array: NDArray[Any]) -> None:
    data = encode_array(array)
    again = decode_array(data, "x")
    assert again.shape == array.shape
    assert again.tobytes() == array.astype(again.dtype).tobytes()
    assert not again.flags.writeable
    saved = io.BytesIO()
    np.lib.format.write_array(saved, np.ascontiguousarray(again).reshape(again.shape), (1, 0), allow_pickle=False)
    assert data == saved.getvalue()


@given(st.data())
def test_a_changed_array_is_refused_or_of_the_same_form(data: st.DataObject) -> None:
    good = encode_array(np.arange(6, dtype=np.float32).reshape(2, 3))
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(bad[: data.draw(st.integers(0, len(bad)))])
    try:
        assert encode_array(decode_array(cut, "x")) == cut
    except BundleError as error:
        fault = error.fault
    else:
        fault = "wrong-tensor"
    assert fault == "wrong-tensor"


@pytest.mark.parametrize(
    "array", [np.array([None]), np.array(["a"]), np.zeros(2), np.zeros(2, np.complex64), np.zeros((1,) * 9, np.uint8)]
)
def test_other_arrays_are_not_written(array: NDArray[Any]) -> None:
    with pytest.raises(BundleError):
        encode_array(array)
