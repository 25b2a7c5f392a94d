"""OpenVINO on other people's models: the answers of the other engines, and nothing that leaves the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.engines.onnxruntime import OnnxRuntime
from orilla_runtime.engines.openvino import OpenVINO
from orilla_runtime.errors import EngineError, ModelError, UsageError
from orilla_runtime.tensors import TensorSpec
from tests.runtime.small_models import TFLiteBuilder, load_onnx, onnx_colours, tflite_colours

# How far a score may be from the other engine's: float files agree to rounding, int8 files to a few steps of 256.
MODELS = {
    "mobilenet_v1_0.25_224_1_metadata_1.tflite": 1e-5,
    "mobilenet_v1_0.25_224_quant.tflite": 4,
    "mobilenet_v2_1.0_224_quant.tflite": 4,
    "vww_96_float.tflite": 1e-5,
    "vww_96_int8.tflite": 4,
    "pretrainedResnet.tflite": 1e-5,
    "split_concat.tflite": 0,
    "SqueezeNet_fp16.onnx": 2e-3,
    "mobilenet_v1_0.25_224_nhwc.onnx": 1e-5,
    "mobilenet_v1_0.25_224_quant_qdq.onnx": 4,
    "mnist.onnx": 1e-4,
    "version-RFB-320.onnx": 1e-4,
}


def drawn(spec: TensorSpec) -> NDArray[Any]:
    random = np.random.default_rng(5)
    shape = tuple(side or 1 for side in spec.shape)
    if spec.dtype.startswith("float"):
        return random.random(shape).astype(spec.dtype)
    return random.integers(0, 100, shape).astype(spec.dtype)


@pytest.mark.parametrize("name", MODELS)
def test_the_answers_of_the_other_engine(name: str, shared_data: Path) -> None:
    data = (shared_data / "models" / name).read_bytes()
    other: Session = (LiteRT() if name.endswith(".tflite") else OnnxRuntime()).load(data, EngineOptions(threads=1))
    session = OpenVINO().load(data, EngineOptions(threads=2))
    assert session.inputs == other.inputs
    assert session.outputs == other.outputs
    tensors = [drawn(spec) for spec in session.inputs]
    for found, expected in zip(session.run(*tensors), other.run(*tensors), strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        distance = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        assert distance.max(initial=0) <= MODELS[name]


def test_tensors_in_the_order_of_the_signature(shared_data: Path) -> None:
    data = (shared_data / "models" / "3in3out_model_swaps_input_2_and_0.tflite").read_bytes()
    session = OpenVINO().load(data, EngineOptions())
    assert [spec.name for spec in session.inputs] == ["first_input", "second_input", "third_input"]
    found = session.run(*(np.array([[value]], np.float32) for value in (1.0, 2.0, 3.0)))
    assert [float(array[0, 0]) for array in found] == [1.0, 2.0, 3.0]


def test_a_further_graph_is_for_litert(shared_data: Path) -> None:
    data = (shared_data / "models" / "test_two_signature_keys_model.tflite").read_bytes()
    assert OpenVINO().load(data, EngineOptions(signature="model_one")).inputs
    with pytest.raises(ModelError, match="further graph") as caught:
        OpenVINO().load(data, EngineOptions(signature="model_two"))
    assert "litert" in caught.value.remedy


def test_what_it_does_not_run(shared_data: Path) -> None:
    for name, words in (
        ("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite", "TFLite_Detection_PostProcess"),
        ("keras_lstm_mnist_ptq.tflite", "pseudo_qconst"),
        ("super_resolution.onnx", "does not take"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            OpenVINO().load((shared_data / "models" / name).read_bytes(), EngineOptions())
        assert caught.value.remedy
        assert "/src/" not in caught.value.message
    words_only = TFLiteBuilder()
    text = words_only.tensor("words", [2], schema.TensorType.STRING)
    with pytest.raises(ModelError, match="texts"):
        OpenVINO().load(words_only.build([text], [text]), EngineOptions())
    with pytest.raises(UsageError, match="no signatures"):
        OpenVINO().load(onnx_colours(), EngineOptions(signature="serving_default"))
    with pytest.raises(EngineError, match="it sees cpu"):
        OpenVINO().load(tflite_colours(), EngineOptions(device="npu"))


def test_a_name_that_is_no_text_is_a_damaged_model() -> None:
    """OpenVINO's own message then cannot be decoded."""
    model = load_onnx(onnx_colours())
    model.graph.node[1].input[0] = "qqqqqq"
    data = model.SerializeToString().replace(b"qqqqqq", b"\xfa\xfa\xfaqqq")
    with pytest.raises(ModelError):
        OpenVINO().load(data, EngineOptions())


def test_nothing_leaves_the_machine(tmp_path: Path) -> None:
    """OpenVINO's own import reports itself and writes an identity; ours must not. No temporary file stays either."""
    (tmp_path / "m.tflite").write_bytes(tflite_colours())
    for folder in ("home", "temporary"):
        (tmp_path / folder).mkdir()
    program = f"""
import json, sys
seen = []
leaving = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, values: seen.append(event) if event in leaving else None)
import numpy
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.openvino import OpenVINO
assert OpenVINO().availability().devices
session = OpenVINO().load(open({str(tmp_path / "m.tflite")!r}, "rb").read(), EngineOptions(threads=1))
session.run(numpy.zeros((1, 8, 12, 3), numpy.uint8))
assert "openvino_telemetry" not in sys.modules
print(json.dumps(seen))
"""
    places = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "temporary", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert not list((tmp_path / "home").iterdir())
    assert not list((tmp_path / "temporary").iterdir())
