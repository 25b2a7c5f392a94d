"""Every engine behind the one seam, on small real models."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from orilla_runtime.engines.base import Engine, EngineOptions
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.engines.onnxruntime import OnnxRuntime
from orilla_runtime.engines.openvino import OpenVINO
from orilla_runtime.errors import EngineError, ModelError, UsageError
from orilla_runtime.tensors import TensorSpec
from tests.runtime.small_models import SIZE, TFLiteBuilder, load_onnx, onnx_colours, tflite_colours

EACH = pytest.mark.parametrize(
    ("engine", "build"),
    [
        (LiteRT(), tflite_colours),
        (OnnxRuntime(), onnx_colours),
        (OpenVINO(), tflite_colours),
        (OpenVINO(), onnx_colours),
    ],
    ids=["litert", "onnxruntime", "openvino-tflite", "openvino-onnx"],
)
PIXELS = np.random.default_rng(0).integers(100, 104, (1, *SIZE, 3)).astype(np.uint8)


def expected(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    means = pixels.astype(np.float64).mean(axis=(1, 2))
    powers = np.exp(means - means.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@EACH
def test_availability_ran_a_model(engine: Engine, build: Any) -> None:
    state = engine.availability()
    assert "cpu" in state.devices
    package = {"litert": "ai-edge-litert"}.get(engine.name, engine.name)
    assert state.version == importlib.metadata.version(package)
    assert (state.reason, state.remedy) == ("", "")


@EACH
@pytest.mark.parametrize("kernels", ["default", "reference"])
def test_a_session_runs(engine: Engine, build: Any, kernels: str) -> None:
    if engine.name == "openvino" and kernels == "reference":
        with pytest.raises(UsageError, match="no reference kernels"):
            engine.load(build(), EngineOptions(kernels=kernels))
        return
    session = engine.load(build(), EngineOptions(threads=1, kernels=kernels))
    assert session.inputs == (TensorSpec("image", (1, *SIZE, 3), "uint8"),)
    assert session.outputs == (TensorSpec("scores", (1, 3), "float32"),)
    assert session.device == "cpu"
    (first,) = session.run(PIXELS)
    (second,) = session.run(PIXELS[:, ::-1, ::-1])  # negative strides
    np.testing.assert_allclose(first, expected(PIXELS), atol=1e-4)
    np.testing.assert_allclose(second, first, atol=1e-4)
    session.run(PIXELS // 2)
    np.testing.assert_allclose(first, expected(PIXELS), atol=1e-4)  # the outputs are copies
    session.close()
    session.close()


@EACH
def test_an_open_batch_takes_any_number(engine: Engine, build: Any) -> None:
    session = engine.load(build(batch=None if build is tflite_colours else "n"), EngineOptions())
    assert session.inputs[0].shape == (None, *SIZE, 3)
    for count in (1, 3, 2, 1):
        pixels = np.repeat(PIXELS, count, axis=0) + np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
        (found,) = session.run(pixels)
        np.testing.assert_allclose(found, expected(pixels), atol=1e-4)


@EACH
@pytest.mark.parametrize(
    "tensors",
    [
        (),
        (PIXELS, PIXELS),
        (PIXELS.astype(np.float32),),
        (PIXELS[0],),
        (PIXELS[:, :4],),
        (np.repeat(PIXELS, 2, axis=0),),
        (PIXELS.transpose(0, 3, 1, 2),),
        (np.zeros((0, *SIZE, 3), np.uint8),),
    ],
    ids=["none", "two", "float", "rank 3", "small", "batch 2", "NCHW", "batch 0"],
)
def test_wrong_tensors_are_named(engine: Engine, build: Any, tensors: tuple[Any, ...]) -> None:
    session = engine.load(build(), EngineOptions())
    with pytest.raises(UsageError) as caught:
        session.run(*tensors)
    assert "1x8x12x3" in str(caught.value)


@EACH
@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_impossible_threads(engine: Engine, build: Any, threads: Any) -> None:
    with pytest.raises(UsageError, match="threads="):
        engine.load(build(), EngineOptions(threads=threads))


@EACH
def test_unknown_kernels(engine: Engine, build: Any) -> None:
    with pytest.raises(UsageError, match="kernels="):
        engine.load(build(), EngineOptions(kernels="fast"))


@EACH
def test_cut_and_changed_files(engine: Engine, build: Any) -> None:
    whole = build()
    for damaged in (b"", whole[:20], whole[: len(whole) // 2], whole[:-30], bytes(len(whole))):
        with pytest.raises(ModelError) as caught:
            engine.load(damaged, EngineOptions())
        assert caught.value.remedy


@EACH
@pytest.mark.parametrize("device", ["cuda", "npu"])
def test_a_device_that_is_not_there_is_no_cpu(engine: Engine, build: Any, device: str) -> None:
    if device in engine.availability().devices:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(EngineError, match=device) as caught:
        engine.load(build(), EngineOptions(device=device))
    assert caught.value.remedy


def test_litert_names_what_it_lacks() -> None:
    def file(name: str) -> bytes:
        model = TFLiteBuilder()
        ports = [model.tensor(port, [1, 2], schema.TensorType.FLOAT32) for port in ("x", "y")]
        model.custom(name, ports[:1], ports[1:])
        return model.build(ports[:1], ports[1:])

    for name, words in (("FlexFFT", "TensorFlow's own operators"), ("Own", "Own"), ("edgetpu-custom-op", "Edge TPU")):
        with pytest.raises(ModelError, match=words):
            LiteRT().load(file(name), EngineOptions())


def test_litert_and_texts() -> None:
    model = TFLiteBuilder()
    words = model.tensor("words", [2], schema.TensorType.STRING)
    session = LiteRT().load(model.build([words], [words]), EngineOptions())
    assert session.inputs == (TensorSpec("words", (2,), "string"),)
    (found,) = session.run(np.array(["Straße", "b"]))
    assert [text.decode("utf-8") for text in found] == ["Straße", "b"]
    with pytest.raises(UsageError, match="string"):
        session.run(np.array([1, 2]))


def test_litert_follows_the_signature_not_the_tensors(shared_data: Path) -> None:
    data = (shared_data / "models" / "3in3out_model_swaps_input_2_and_0.tflite").read_bytes()
    session = LiteRT().load(data, EngineOptions())
    assert [spec.name for spec in session.inputs] == ["first_input", "second_input", "third_input"]
    found = session.run(*(np.array([[value]], np.float32) for value in (1.0, 2.0, 3.0)))
    assert [float(array[0, 0]) for array in found] == [1.0, 2.0, 3.0]


def test_reference_kernels_are_other_kernels(shared_data: Path) -> None:
    """They differ by a few steps of 256, and not in what they find."""
    data = (shared_data / "models" / "pretrainedResnet_quant.tflite").read_bytes()
    tensor = np.random.default_rng(1).integers(-128, 128, (1, 32, 32, 3)).astype(np.int8)
    outputs = [
        LiteRT().load(data, EngineOptions(threads=1, kernels=kernels)).run(tensor)[0].astype(int)
        for kernels in ("default", "reference")
    ]
    assert outputs[0].argmax() == outputs[1].argmax()
    assert np.abs(outputs[0] - outputs[1]).max() <= 16


def test_onnx_has_no_signatures() -> None:
    with pytest.raises(UsageError, match="signature"):
        OnnxRuntime().load(onnx_colours(), EngineOptions(signature="serving_default"))


def test_onnx_refusals_name_the_reason(tmp_path: Path) -> None:
    unknown = load_onnx(onnx_colours())
    unknown.graph.node[0].domain = "org.example"
    unknown.opset_import.append(helper.make_opsetid("org.example", 1))
    operator = load_onnx(onnx_colours())
    operator.graph.node[0].op_type = "Bogus"
    bare = load_onnx(onnx_colours())
    del bare.opset_import[:]
    for model, words in (
        (unknown, "org.example"),
        (operator, "Bogus"),
        (bare, "names no operator set"),
        (load_onnx(onnx_colours(opset=99)), "asks for opset 99"),
        (load_onnx(onnx_colours(ir_version=99)), "IR version 99"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            OnnxRuntime().load(model.SerializeToString(), EngineOptions())
        assert caught.value.remedy
        assert "/onnxruntime" not in caught.value.message


def test_onnx_outside_weights_are_refused(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(400, np.float32), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [400]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weight])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"another file \(w.bin\)"):
        OnnxRuntime().load(path.read_bytes(), EngineOptions())


def test_onnx_float16() -> None:
    session = OnnxRuntime().load(onnx_colours(dtype=TensorProto.FLOAT16), EngineOptions())
    assert session.inputs[0].dtype == "float16"
    (found,) = session.run(PIXELS.astype(np.float16))
    np.testing.assert_allclose(found, expected(PIXELS), atol=1e-4)


def test_a_failing_run_is_an_error_of_the_model() -> None:
    """Reshape to a size that the open batch does not give: known only while it runs."""
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2]),
    ]
    shape = numpy_helper.from_array(np.array([2, 2]), "shape")
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", ports[:1], ports[1:], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    session = OnnxRuntime().load(model.SerializeToString(), EngineOptions())
    with pytest.raises(ModelError, match="while it ran"):
        session.run(np.zeros((3, 2), np.float32))
