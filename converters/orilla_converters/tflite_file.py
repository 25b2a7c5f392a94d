"""Edits a `.tflite` file through its flatbuffer: stable names, a float softmax at the end, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orilla_converters.metadata import TFLITE_ENTRY
from orilla_converters.normalization import Normalization
from orilla_converters.ports import Ports
from orilla_converters.tflite_layer import aligned_buffer
from orilla_runtime.errors import ConversionError

IDENTIFIER = b"TFL3"
FLOAT32, FLOAT16, UINT8, INT8 = 0, 1, 3, 9


@dataclass(frozen=True, slots=True)
class Contents:
    """Operators by name in order, those that compute in float (quantizing aside), and the types of the constants.

    `float_ends`: the float operators that give an output of the graph.
    """

    operators: tuple[str, ...]
    float_operators: tuple[str, ...]
    float_ends: tuple[str, ...]
    constants: frozenset[int]


def finish(
    data: bytes, ports: Ports, *, softmax: bool, metadata: bytes, bytes_as: Mapping[str, Normalization]
) -> bytes:
    """Name and order the inputs and outputs as the ports are, and put `metadata` in.

    softmax: append that operator, in float, to each output whose port has it. bytes_as: let these float inputs take raw
    bytes, which stand for real numbers by this scale and zero point.

    Raises:
        ConversionError: other inputs and outputs than the ports, or not the types that were asked for.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    _put_in_order(model, graph, ports)
    for place, port in enumerate(ports.inputs):
        if port.name in bytes_as:
            _take_bytes(schema, model, graph, place, bytes_as[port.name])
    for place, output in enumerate(ports.outputs):
        if softmax and output.softmax:
            _append_softmax(schema, model, graph, place)
    names = [*(port.name for port in ports.inputs), *(port.name for port in ports.outputs)]
    for index, name in zip((*graph.inputs, *graph.outputs), names, strict=True):
        graph.tensors[index].name = name
    model.signatureDefs = [_signature(schema, graph, ports)]
    _put_metadata(schema, model, metadata)
    return packed(model)


def _put_in_order(model: Any, graph: Any, ports: Ports) -> None:
    """The converter keeps the order of the ports in its own signature alone: by name, and `output_0`, `output_1`, …"""
    counts = (1, len(ports.inputs), len(ports.outputs))
    if (len(model.subgraphs), len(graph.inputs), len(graph.outputs)) != counts:
        raise ConversionError("The converter wrote a file with several graphs, or other inputs or outputs.")
    if counts == (1, 1, 1):
        return
    written = next(iter(model.signatureDefs or ()), None)
    taken, given = (
        {one.name.decode(): one.tensorIndex for one in entries}
        for entries in ((written.inputs, written.outputs) if written else ((), ()))
    )
    try:
        graph.inputs = [taken[port.name] for port in ports.inputs]
        graph.outputs = [given[f"output_{place}"] for place in range(len(ports.outputs))]
    except KeyError as error:
        raise ConversionError(f"The converter wrote a file without its {error}.") from error


def contents(data: bytes) -> Contents:
    """What the file computes with.

    Raises:
        ConversionError: an operator that needs TensorFlow, or a variable that nothing sets.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    graph = model.subgraphs[0]
    operators, floats, ends = [], [], []
    made = {index for operator in graph.operators for index in operator.outputs} | set(graph.inputs)
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
            ends += [name] if set(operator.outputs) & set(graph.outputs) else []
    constants = frozenset(tensor.type for index, tensor in enumerate(graph.tensors) if index not in made)
    return Contents(tuple(operators), tuple(floats), tuple(ends), constants)


def nodes(data: bytes) -> dict[str, tuple[str, ...]]:
    """For each operator, by the name of its first output, every name that may tell the Keras layer it came from."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0)).subgraphs[0]
    names = [(tensor.name or b"").decode(errors="replace") for tensor in graph.tensors]
    made = {index for operator in graph.operators for index in operator.outputs}
    found = {}
    for operator in graph.operators:
        own = [index for index in operator.inputs if index >= 0 and index not in made and index not in graph.inputs]
        found[names[operator.outputs[0]]] = tuple(names[index] for index in (*operator.outputs, *own))
    return found


def _take_bytes(schema: Any, model: Any, graph: Any, place: int, normalization: Normalization) -> None:
    """The bytes go straight to the operator that quantizes to int8, or through one that makes them real numbers."""
    image = graph.inputs[place]
    if graph.tensors[image].type != FLOAT32:
        raise ConversionError("The converter was to leave the input in float and did not.")
    readers = [operator for operator in graph.operators if image in operator.inputs]
    requantized = len(readers) == 1 and graph.tensors[readers[0].outputs[0]].type == INT8
    if not requantized:
        real = schema.TensorT()
        real.shape, real.shapeSignature = graph.tensors[image].shape, graph.tensors[image].shapeSignature
        real.type, real.name = FLOAT32, "normalized"
        model.buffers.append(schema.BufferT())
        real.buffer = len(model.buffers) - 1
        graph.tensors.append(real)
        for operator in readers:
            operator.inputs = [len(graph.tensors) - 1 if index == image else index for index in operator.inputs]
        graph.operators.insert(0, _operator(schema, model, "DEQUANTIZE", 2, [int(image)], [len(graph.tensors) - 1]))
    graph.tensors[image].type = UINT8
    graph.tensors[image].quantization = schema.QuantizationParametersT()
    graph.tensors[image].quantization.scale = [normalization.scale]
    graph.tensors[image].quantization.zeroPoint = [normalization.zero_point]


def _operator(schema: Any, model: Any, name: str, version: int, inputs: list[int], outputs: list[int]) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = version
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, outputs
    return operator


def _append_softmax(schema: Any, model: Any, graph: Any, place: int) -> None:
    logits = graph.outputs[place]
    if graph.tensors[logits].type != FLOAT32:
        raise ConversionError("The converter was to give float logits and gave something else.")
    model.buffers.append(schema.BufferT())
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(graph.tensors[logits].shape), FLOAT32
    tensor.shapeSignature = graph.tensors[logits].shapeSignature
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    operator = _operator(schema, model, "SOFTMAX", 1, [int(logits)], [len(graph.tensors) - 1])
    operator.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    operator.builtinOptions = schema.SoftmaxOptionsT()
    operator.builtinOptions.beta = 1.0
    graph.operators.append(operator)
    graph.tensors[logits].name = "logits"
    graph.outputs = [*graph.outputs[:place], len(graph.tensors) - 1, *graph.outputs[place + 1 :]]


def _put_metadata(schema: Any, model: Any, metadata: bytes) -> None:
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(metadata)
    model.buffers.append(buffer)
    entry.name, entry.buffer = TFLITE_ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]


def _signature(schema: Any, graph: Any, ports: Ports) -> Any:
    def entries(named: Sequence[Any], indices: Sequence[int]) -> list[Any]:
        found = []
        for port, index in zip(named, indices, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = port.name, int(index)
            found.append(entry)
        return found

    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.subgraphIndex = 0
    signature.inputs = entries(ports.inputs, graph.inputs)
    signature.outputs = entries(ports.outputs, graph.outputs)
    return signature


@dataclass(frozen=True, slots=True)
class _Content:
    """A buffer of the model that packs itself aligned; flatbuffers' own code aligns bytes to 4."""

    data: bytes

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the name that `ModelT.Pack` calls)
        return aligned_buffer(builder, self.data)


def packed(model: Any) -> bytes:
    """The bytes of a model that was changed."""
    import flatbuffers

    model.buffers = [one if one.data is None else _Content(bytes(bytearray(one.data))) for one in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
