"""Edits a `.tflite` file through its flatbuffer: stable names, a float softmax at the end, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orilla_converters.metadata import TFLITE_ENTRY
from orilla_runtime.errors import ConversionError

IDENTIFIER = b"TFL3"
FLOAT32 = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """Operators by name in order, and how many of them compute in float (quantizing and dequantizing aside)."""

    operators: tuple[str, ...]
    float_operators: tuple[str, ...]


def finish(
    data: bytes, *, softmax: bool, metadata: bytes, inputs: str = "image", outputs: str = "probabilities"
) -> bytes:
    """Name the one input and the one output, put `metadata` in, and with `softmax` append that operator, in float.

    Raises:
        ConversionError: not one float input or output, or operators that a plain interpreter cannot run.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    if len(model.subgraphs) != 1 or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ConversionError("The converter wrote a file with several graphs, inputs or outputs.")
    if softmax:
        _append_softmax(schema, model, graph)
    graph.tensors[graph.inputs[0]].name = inputs
    graph.tensors[graph.outputs[0]].name = outputs
    model.signatureDefs = [_signature(schema, graph, inputs, outputs)]
    _put_metadata(schema, model, metadata)
    return _packed(model)


def contents(data: bytes) -> Contents:
    """What the file computes with.

    Raises:
        ConversionError: an operator that needs TensorFlow, or a variable that nothing sets.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    graph = model.subgraphs[0]
    operators, floats = [], []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = names.get(number, str(number))
        if name in {"CUSTOM", "READ_VARIABLE", "VAR_HANDLE"}:
            custom = (code.customCode or b"").decode() if name == "CUSTOM" else name
            raise ConversionError(
                f"The converted file needs {custom}, which a plain TFLite interpreter does not have.",
                "Change the layer that needs it.",
            )
        operators.append(name)
        computed = {graph.tensors[index].type for index in operator.outputs if index >= 0}
        if FLOAT32 in computed and name != "DEQUANTIZE":
            floats.append(name)
    return Contents(tuple(operators), tuple(floats))


def _append_softmax(schema: Any, model: Any, graph: Any) -> None:
    logits = graph.outputs[0]
    if graph.tensors[logits].type != FLOAT32:
        raise ConversionError("The converter was to give float logits and gave something else.")
    model.buffers.append(schema.BufferT())
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(graph.tensors[logits].shape), FLOAT32
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [int(logits)], [len(graph.tensors) - 1]
    operator.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    operator.builtinOptions = schema.SoftmaxOptionsT()
    operator.builtinOptions.beta = 1.0
    graph.operators.append(operator)
    graph.tensors[logits].name = "logits"
    graph.outputs = [len(graph.tensors) - 1]


def _put_metadata(schema: Any, model: Any, metadata: bytes) -> None:
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(metadata)
    model.buffers.append(buffer)
    entry.name, entry.buffer = TFLITE_ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]


def _signature(schema: Any, graph: Any, inputs: str, outputs: str) -> Any:
    def port(name: str, index: int) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, int(index)
        return entry

    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.subgraphIndex = 0
    signature.inputs = [port(inputs, graph.inputs[0])]
    signature.outputs = [port(outputs, graph.outputs[0])]
    return signature


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
