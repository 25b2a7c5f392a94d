"""Writes the one-operator models that `engines/*.availability()` runs. Needs flatbuffers, ai-edge-litert and onnx.

python tools/make_probes.py runtime/orilla_runtime/engines/probes
"""

from __future__ import annotations

import sys
from pathlib import Path

import flatbuffers
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper


def tflite_relu() -> bytes:
    """`output = max(input, 0)` on float32 [1, 2], with one signature."""

    def tensor(name: str) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, [1, 2], schema.TensorType.FLOAT32, 0
        return made

    def port(name: str, index: int) -> schema.TensorMapT:
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, index
        return made

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    code.version = 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.name, graph.tensors = "main", [tensor("input"), tensor("output")]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [port("input", 0)], [port("output", 1)]
    model = schema.ModelT()
    model.version, model.description = 3, "Orilla's probe"
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder(512)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def onnx_relu() -> bytes:
    """`output = max(input, 0)` on float32 [1, 2], in an old operator set that every version reads."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Relu", ["input"], ["output"])], "probe", ports[:1], ports[1:])
    model = helper.make_model(graph, producer_name="orilla", opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    return model.SerializeToString()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "relu.tflite").write_bytes(tflite_relu())
    (folder / "relu.onnx").write_bytes(onnx_relu())
