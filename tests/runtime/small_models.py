"""Small real models, built operator by operator: they classify a picture by its strongest colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

LABELS = ("red", "green", "blue")
SIZE = (8, 12)


@dataclass
class TFLiteBuilder:
    """Collects tensors, buffers and operators, and writes the file."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    metadata: list[Any] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: list[int],
        dtype: int,
        *,
        data: bytes | None = None,
        signature: list[int] | None = None,
        scale: tuple[float, int] | None = None,
    ) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, shape, dtype, 0
        made.shapeSignature = signature
        if data is not None:
            made.buffer = self.buffer(data)
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale[0]], [scale[1]]
        self.tensors.append(made)
        return len(self.tensors) - 1

    def buffer(self, data: bytes) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(data, np.uint8)
        self.buffers.append(made)
        return len(self.buffers) - 1

    def operator(self, code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: Any = None) -> None:
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
        self.codes.append(entry)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.codes) - 1, inputs, outputs
        made.builtinOptionsType, made.builtinOptions = kind, options
        self.operators.append(made)

    def custom(self, name: str, inputs: list[int], outputs: list[int]) -> None:
        self.operator(schema.BuiltinOperator.CUSTOM, inputs, outputs)
        self.codes[-1].customCode = name

    def attach(self, name: str, data: bytes) -> None:
        made = schema.MetadataT()
        made.name, made.buffer = name, self.buffer(data)
        self.metadata.append(made)

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = "main", self.tensors, self.operators
        graph.inputs, graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.description = 3, "colour"
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [graph], self.buffers
        model.metadata = self.metadata or None
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def tflite_colours(
    *, softmax: bool = True, uint8: bool = True, batch: int | None = 1, metadata: bytes | None = None
) -> bytes:
    """Means of the three channels of a NHWC picture, with or without a softmax behind them."""
    model = TFLiteBuilder()
    sides = [1, *SIZE, 3]
    signature = None if batch == 1 else [-1, *SIZE, 3]
    kind = schema.TensorType
    image = model.tensor("image", sides, kind.UINT8 if uint8 else kind.FLOAT32, signature=signature)
    pixels = image
    if uint8:
        pixels = model.tensor("pixels", sides, kind.FLOAT32, signature=signature)
        model.operator(schema.BuiltinOperator.CAST, [image], [pixels])
    axes = model.tensor("axes", [2], kind.INT32, data=np.array([1, 2], np.int32).tobytes())
    open_row = None if batch == 1 else [-1, 3]
    means = model.tensor("means", [1, 3], kind.FLOAT32, signature=open_row)
    reducer = schema.ReducerOptionsT()
    reducer.keepDims = False
    model.operator(schema.BuiltinOperator.MEAN, [pixels, axes], [means], schema.BuiltinOptions.ReducerOptions, reducer)
    last = means
    if softmax:
        last = model.tensor("scores", [1, 3], kind.FLOAT32, signature=open_row)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        model.operator(schema.BuiltinOperator.SOFTMAX, [means], [last], schema.BuiltinOptions.SoftmaxOptions, options)
    if metadata is not None:
        model.attach("TFLITE_METADATA", metadata)
    return model.build([image], [last])


def onnx_colours(
    *,
    softmax: bool = True,
    dtype: int = TensorProto.UINT8,
    layout: str = "NHWC",
    batch: int | str = 1,
    metadata: dict[str, str] | None = None,
    opset: int = 13,
    ir_version: int = 7,
) -> bytes:
    """The same as an ONNX file."""
    shape = [batch, *SIZE, 3] if layout == "NHWC" else [batch, 3, *SIZE]
    axes = [1, 2] if layout == "NHWC" else [2, 3]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=axes, keepdims=0),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["means"], ["scores"], axis=1))
    graph = helper.make_graph(
        nodes,
        "colour",
        [helper.make_tensor_value_info("image", dtype, shape)],
        [helper.make_tensor_value_info("scores" if softmax else "means", TensorProto.FLOAT, [batch, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


def write_colours(folder: Path) -> Path:
    """`colours.tflite` and its `labels.txt` in `folder`, which is given back."""
    (folder / "colours.tflite").write_bytes(tflite_colours())
    (folder / "labels.txt").write_text("\n".join(LABELS))
    return folder


def picture(seed: int, size: tuple[int, int] = (40, 60)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A BGR picture whose channel means lie close together, so that the three scores differ but none is 0 or 1."""
    random = np.random.default_rng(seed)
    flat = random.integers(100, 103, 3)
    noise = random.integers(-20, 21, (*size, 1))
    return (flat + noise).astype(np.uint8)


def load_onnx(data: bytes) -> onnx.ModelProto:
    """The parsed file, for a test that changes it."""
    return onnx.load_from_string(data)
