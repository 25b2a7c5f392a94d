"""What the readers say of files: real ones against the list, and small ones built for one point each."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.model_file import Normalization
from orilla_runtime.formats.onnx import read_onnx
from orilla_runtime.formats.sniff import read_model, sniff_format
from orilla_runtime.formats.tflite import read_tflite
from orilla_runtime.tensors import Quantization, TensorSpec
from tests.runtime.small_models import load_onnx, onnx_colours, tflite_colours


def test_every_file_of_the_list(shared_data: Path) -> None:
    folder = shared_data / "models"
    for entry in json.loads((folder / "models.json").read_text("utf-8"))["models"]:
        if entry["file"].endswith(".h5"):
            continue
        file = read_model((folder / entry["file"]).read_bytes(), entry["file"])
        plain = {name.rpartition(":")[2]: count for name, count in file.operators.items()}
        if entry["file"] != "test_two_signature_keys_model.tflite":
            assert plain == entry["operators"], entry["file"]
        assert list(file.signatures) == entry.get("signatures", [])
        assert sorted(file.label_files) == sorted(entry.get("files_inside", []))
        if file.format == "onnx":
            assert file.ir_version == entry["ir"]
            assert file.opsets.get("", 0) == entry["opset"].get("ai.onnx", 0)
            assert file.producer == entry["producer"]
        elif len(file.signatures) == 0:
            for found, wanted in zip(file.inputs, entry["inputs"], strict=True):
                assert found.name == wanted["name"]
                assert [side or 1 for side in found.shape] == wanted["shape"]
                if "scale" in wanted:
                    assert found.quantization is not None
                    assert found.quantization.scale == pytest.approx(wanted["scale"])
                    assert found.quantization.zero_point == wanted["zero_point"]


def test_metadata_of_a_classifier(shared_data: Path) -> None:
    data = (shared_data / "models" / "mobilenet_v1_0.25_224_1_metadata_1.tflite").read_bytes()
    file = read_model(data)
    assert file.labels is not None
    assert (len(file.labels), file.labels[:2]) == (1001, ("background", "tench"))
    assert file.normalization == Normalization((127.5,), (127.5,))
    assert file.makers == ("SOFTMAX",)
    assert file.name == "MobileNetV1 image classifier"


def test_makers_look_through_what_only_passes_on(shared_data: Path) -> None:
    makers = {
        "tf2_mobilenet_v2_1.0_224_ptq.tflite": ("SOFTMAX",),  # behind QUANTIZE
        "mobilenet_v2_1.0_224_quant.tflite": ("CONV_2D",),  # behind RESHAPE
        "mobilenet_v1_0.25_224_quant_qdq.onnx": ("Softmax",),  # behind QuantizeLinear
        "mnist.onnx": ("Add",),
    }
    for name, expected in makers.items():
        assert read_model((shared_data / "models" / name).read_bytes()).makers == expected


def test_tflite_specs_and_open_batch() -> None:
    file = read_tflite(tflite_colours(batch=None))
    assert file.summary().inputs == (TensorSpec("image", (None, 8, 12, 3), "uint8"),)
    assert file.summary().outputs == (TensorSpec("scores", (None, 3), "float32"),)
    assert file.operators == {"CAST": 1, "MEAN": 1, "SOFTMAX": 1}
    assert file.description == "colour"


def test_packed_files_are_read_and_bounded() -> None:
    def packed(content: bytes, kind: int = zipfile.ZIP_STORED) -> bytes:
        stream = io.BytesIO(tflite_colours())
        with zipfile.ZipFile(stream, "a", kind) as archive:
            archive.writestr("names.txt", content)
        return stream.getvalue()

    file = read_model(packed(b"rouge\r\nvert\r\nbleu \n\n"))
    assert file.label_files == {"names.txt": ("rouge", "vert", "bleu")}
    assert file.labels is None
    with pytest.raises(ModelError, match=r"larger than 8 MiB"):
        read_model(packed(b"\0" * (9 << 20), zipfile.ZIP_DEFLATED), "bomb.tflite")


def test_onnx_quantization_of_inputs_and_outputs() -> None:
    """Scale and zero point in raw bytes, in typed lists and in Constant nodes."""
    scale = numpy_helper.from_array(np.array(0.5, np.float32), "scale")
    zero = helper.make_tensor("zero", TensorProto.UINT8, [], [7])
    constant = helper.make_node("Constant", [], ["step"], value=helper.make_tensor("", TensorProto.FLOAT, [1], [0.25]))
    nodes = [
        constant,
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
        helper.make_node("QuantizeLinear", ["real", "step", "zero"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.UINT8, [1, 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [scale, zero])
    file = read_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())
    assert file.inputs[0].quantization == Quantization(0.5, 7)
    assert file.outputs[0].quantization == Quantization(0.25, 7)


def test_onnx_weights_among_the_inputs_are_no_inputs() -> None:
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "w", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ports[:2], ports[2:], [weight])
    file = read_onnx(helper.make_model(graph).SerializeToString())
    assert [spec.name for spec in file.inputs] == ["x"]


def test_onnx_outside_weights_are_named(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(400, np.float32), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [400]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weight])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert read_onnx(path.read_bytes()).external == ("weights.bin",)


def test_onnx_operators_inside_graphs_are_counted() -> None:
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    value = helper.make_tensor("", TensorProto.FLOAT, [1], [1.0])
    branch = helper.make_graph([helper.make_node("Constant", [], ["out"], value=value)], "b", [], [out])
    node = helper.make_node("If", ["flag"], ["out"], then_branch=branch, else_branch=branch)
    other = helper.make_node("Own", ["out"], ["end"], domain="org.example")
    end = helper.make_tensor_value_info("end", TensorProto.FLOAT, [1])
    file = read_onnx(helper.make_model(helper.make_graph([node, other], "g", [flag], [end])).SerializeToString())
    assert file.operators == {"If": 1, "Constant": 2, "org.example:Own": 1}


@pytest.mark.parametrize(
    ("metadata", "labels"),
    [
        ({"orilla.labels": '["a", "b", "c"]', "names": "{0: 'x'}"}, ("a", "b", "c")),
        ({"labels": '["a", "b"]'}, ("a", "b")),
        ({"names": "{0: 'person', 1: 'car'}"}, ("person", "car")),
        ({"names": '{"1": "car", "0": "person"}'}, ("person", "car")),
        ({"names": "{1: 'one', 2: 'two'}"}, None),
        ({"names": "__import__('os')"}, None),
        ({"names": "[" * 100_000}, None),
        ({"names": "[1, 2]"}, None),
        ({}, None),
    ],
)
def test_onnx_labels(metadata: dict[str, str], labels: tuple[str, ...] | None) -> None:
    assert read_model(onnx_colours(metadata=metadata)).labels == labels


def test_orillas_own_onnx_metadata() -> None:
    own = {"orilla.mean": "[0.0]", "orilla.std": "[1.0]", "orilla.output": "probabilities"}
    file = read_model(onnx_colours(metadata=own))
    assert file.normalization == Normalization((0.0,), (1.0,))
    assert file.output == "probabilities"


def test_the_content_decides_the_format() -> None:
    assert sniff_format(tflite_colours()) == "tflite"
    assert sniff_format(onnx_colours()) == "onnx"
    assert sniff_format(onnx_colours()[:-20]) == "onnx"
    for other in (b"", b"\0" * 100, b"hello world, this is text", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" + b"\0" * 40):
        assert sniff_format(other) is None


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "m.tflite", "is empty"),
        (b"\x89HDF\r\n\x1a\n", "m.tflite", "Keras HDF5"),
        (b"PK\x03\x04aaaa", "m.onnx", "zip archive"),
        (b"\0\0\0\0ORTMxx", "m.onnx", "own format"),
        (b"version https://git-lfs.github.com/spec/v1", "m.onnx", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "m.tflite", "web page"),
        (b"\0" * 64, "m.tflite", "does not carry the mark"),
        (b"\0" * 64, "m.onnx", "no graph in it"),
        (b"\0" * 64, "m.bin", "neither"),
    ],
)
def test_other_files_are_named(data: bytes, name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_model(data, name)
    assert caught.value.message.startswith(name)
    assert caught.value.remedy


def test_nested_graphs_have_a_limit() -> None:
    model = load_onnx(onnx_colours())
    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["i"], ["o"])], "g", [], [out])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["c"], ["o"], then_branch=graph)], "g", [], [out])
    model.graph.node.extend(graph.node)
    with pytest.raises(ModelError, match="nested"):
        read_onnx(model.SerializeToString())
