"""Each of the six artifacts is what was asked: tensors, types, names, operators, and close to Keras."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from orilla_converters.results import ConversionResult
from orilla_converters.tflite_file import contents
from orilla_runtime.bundle.golden import self_test
from orilla_runtime.bundle.reader import Bundle, open_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.formats.onnx import read_onnx
from orilla_runtime.formats.tflite import read_tflite
from tests.converters.conftest import LABELS, Bench

PATHS = tuple(
    f"artifacts/{precision}.{format_}" for format_ in ("tflite", "onnx") for precision in ("float32", "float16", "int8")
)
SQNR = {"float32": 100.0, "float16": 50.0, "int8": 25.0}


@pytest.fixture(scope="module")
def bundle(converted: ConversionResult) -> Iterator[Bundle]:
    with open_bundle(converted.path, expected_id=converted.bundle_id) as opened:
        yield opened


def test_the_bundle_says_what_it_holds(bundle: Bundle, converted: ConversionResult, bench: Bench) -> None:
    manifest = bundle.manifest
    assert manifest.name == "digits"
    assert manifest.task.labels == LABELS
    assert {artifact.path for artifact in manifest.artifacts} == set(PATHS)
    assert manifest.defaults == {"tflite": "artifacts/int8.tflite", "onnx": "artifacts/int8.onnx"}
    assert manifest.training["split"] == bench.split
    assert manifest.extra["calibration"]["origin"] == "split"
    assert converted.calibrated_on == manifest.extra["calibration"]["n"] == 100
    assert all(artifact.metrics.n == len(bench.split["test"]) for artifact in manifest.artifacts if artifact.metrics)


@pytest.mark.parametrize("path", PATHS)
def test_bytes_in_and_probabilities_out(path: str, bundle: Bundle) -> None:
    artifact = bundle.artifact(path)
    session = engine_for(artifact.format).load(bundle.read(path), EngineOptions())
    try:
        (taken,), (given,) = session.inputs, session.outputs
        assert (taken.name, taken.shape, taken.dtype) == ("image", (1, 16, 16, 3), "uint8")
        assert (given.name, given.shape, given.dtype) == ("probabilities", (1, 10), "float32")
        picture = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
        scores = session.run(picture)[0]
        assert scores.sum() == pytest.approx(1.0, abs=1e-3)
    finally:
        session.close()


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_int8_gives_logits_in_float(format_: str, bundle: Bundle) -> None:
    """In 256 steps the differences of two logits would be at most 511 numbers, and the best of many classes ties."""
    session = engine_for(format_).load(bundle.read(f"artifacts/int8.{format_}"), EngineOptions())
    try:
        pictures = np.random.default_rng(0).integers(0, 256, (200, 1, 16, 16, 3), dtype=np.uint8)
        logits = np.log(np.concatenate([session.run(picture)[0].copy() for picture in pictures]).astype(np.float64))
    finally:
        session.close()
    differences = (logits - logits[:, :1])[:, 1:]
    assert np.unique(np.round(differences, 4)).size > 800


@pytest.mark.parametrize("path", PATHS)
def test_parity_with_keras(path: str, bundle: Bundle) -> None:
    artifact = bundle.artifact(path)
    assert artifact.metrics is not None
    assert artifact.metrics.sqnr_db is not None
    assert artifact.metrics.sqnr_db > SQNR[artifact.precision]
    assert artifact.metrics.agreement >= 0.97
    if artifact.precision == "float32":
        assert artifact.metrics.max_abs_error < 1e-5


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_tflite_has_built_in_operators_alone(precision: str, bundle: Bundle) -> None:
    found = contents(bundle.read(f"artifacts/{precision}.tflite"))
    assert found.operators[-1] == "SOFTMAX"
    assert found.operators.count("SOFTMAX") == 1
    if precision == "int8":
        assert found.float_operators == ("FULLY_CONNECTED", "SOFTMAX"), "int8 weights, and sums in float"
        assert found.operators[0] == "QUANTIZE" or found.operators[0].endswith("CONV_2D")
        assert not {"MUL", "SUB", "CAST"} & set(found.operators)


def test_in_an_int8_tflite_the_byte_is_the_quantized_input(bundle: Bundle) -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bundle.read("artifacts/int8.tflite"), 0))
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert (list(quantization.scale), list(quantization.zeroPoint)) == ([1 / 128], [127])
    weights = [graph.tensors[operator.inputs[1]] for operator in graph.operators[:3] if len(operator.inputs) > 2]
    assert any(len(tensor.quantization.scale) > 1 for tensor in weights), "weights are per channel"


def test_in_an_int8_onnx_the_byte_is_the_quantized_input(bundle: Bundle) -> None:
    graph = onnx.load_from_string(bundle.read("artifacts/int8.onnx")).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    name = "image"
    while (reader := next(node for node in graph.node if name in node.input)).op_type == "Transpose":
        name = reader.output[0]
    assert reader.op_type == "DequantizeLinear"
    scale, zero = (constants[which] for which in reader.input[1:3])
    assert (float(scale), int(zero), zero.dtype) == (1 / 128, 127, np.uint8)
    assert graph.node[-1].op_type == "Softmax"
    assert graph.node[-2].op_type == "Gemm", "rounded to bytes, the places behind the first would tie"
    assert graph.node[-1].input[0] == graph.node[-2].output[0]
    quantized = {node.output[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert all(constants[node.input[2]].dtype == np.uint8 for node in graph.node if node.output[0] in quantized)
    kernels = [
        constants[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in constants
    ]
    assert any(kernel.dtype == np.int8 and kernel.ndim == 4 for kernel in kernels)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_onnx_stands_alone(precision: str, bundle: Bundle) -> None:
    data = bundle.read(f"artifacts/{precision}.onnx")
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    summary = read_onnx(data).summary()
    assert summary.labels == LABELS
    assert summary.output == "probabilities"


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_tflite_stands_alone(precision: str, bundle: Bundle) -> None:
    data = bundle.read(f"artifacts/{precision}.tflite")
    summary = read_tflite(data).summary()
    assert summary.labels == LABELS
    assert summary.normalization is not None
    assert (summary.normalization.mean, summary.normalization.std) == ((0.0,), (1.0,))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (entry,) = archive.infolist()
    assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)


def test_the_golden_data_hold_here(bundle: Bundle) -> None:
    checks = self_test(bundle, lambda artifact, data: engine_for(artifact.format).load(data, EngineOptions()))
    assert len(checks) == 7
    assert all(check.passed for check in checks), checks


def test_another_kernel_stays_within_the_tolerance(bundle: Bundle) -> None:
    options = EngineOptions(kernels="reference")
    checks = self_test(bundle, lambda artifact, data: engine_for(artifact.format).load(data, options))
    assert all(check.passed for check in checks), checks


def test_size(bundle: Bundle) -> None:
    """Tiny as this net is, int8 is smaller; float16 in any case."""
    sizes = {path: len(bundle.read(path)) for path in PATHS}
    for format_ in ("tflite", "onnx"):
        assert sizes[f"artifacts/int8.{format_}"] < sizes[f"artifacts/float32.{format_}"]
        assert sizes[f"artifacts/float16.{format_}"] < sizes[f"artifacts/float32.{format_}"]
    assert len({hashlib.sha256(bundle.read(path)).hexdigest() for path in PATHS}) == 6


@pytest.mark.parametrize("path", [path for path in PATHS if path.endswith(".tflite")])
def test_constants_lie_where_kernels_want_them(path: str, bundle: Bundle) -> None:
    data = np.frombuffer(bundle.read(path), np.uint8)
    model = schema.Model.GetRootAs(data, 0)
    held = [model.Buffers(number) for number in range(model.BuffersLength())]
    places = [one.DataAsNumpy().ctypes.data - data.ctypes.data for one in held if one.DataLength()]
    assert len(places) > 5
    assert not [place for place in places if place % 16]
