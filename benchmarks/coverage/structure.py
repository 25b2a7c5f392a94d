"""What a written file is made of, read without the converters' own code: operators left in float, types of weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

SMALLEST = 64
"""Constants of fewer elements (biases, shapes, scales) say nothing of the precision."""
_PAIRS = ("QuantizeLinear", "DequantizeLinear")
_HEADS = ("Gemm", "MatMul", "Conv")


@dataclass(frozen=True, slots=True)
class Structure:
    """`in_float`: operators that compute in float, with counts. `weights`: bytes of large constants by type.

    `foreign`: operators that a plain runtime does not have.
    """

    in_float: dict[str, int]
    weights: dict[str, int]
    foreign: tuple[str, ...]


def read_structure(format_: str, data: bytes) -> Structure:
    """The structure of a file of `tflite` or `onnx`; of a SavedModel, which is float32 throughout, nothing is said."""
    if format_ == "savedmodel":
        return Structure({}, {}, ())
    return _tflite(data) if format_ == "tflite" else _onnx(data)


def _tflite(data: bytes) -> Structure:
    from ai_edge_litert import schema_py_generated as schema

    operators = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    model = schema.Model.GetRootAs(data, 0)
    in_float: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    foreign = []
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        for place in range(graph.TensorsLength()):
            tensor = graph.Tensors(place)
            held = model.Buffers(tensor.Buffer()).DataLength()
            if held >= SMALLEST and tensor.ShapeLength() >= 2:
                weights[types[tensor.Type()]] += held
        makers: dict[int, Any] = {}
        for place in range(graph.OperatorsLength()):
            operator = graph.Operators(place)
            code = model.OperatorCodes(operator.OpcodeIndex())
            name = operators[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if name in {"CUSTOM", "READ_VARIABLE", "VAR_HANDLE"}:
                foreign.append(name)
            made = {types[graph.Tensors(operator.Outputs(at)).Type()] for at in range(operator.OutputsLength())}
            if "float32" in made and name != "DEQUANTIZE" and not _stored_in_int8(graph, operator, makers):
                in_float[name] += 1
            makers |= {operator.Outputs(at): (name, operator) for at in range(operator.OutputsLength())}
    return Structure(dict(sorted(in_float.items())), dict(weights), tuple(foreign))


def _stored_in_int8(graph: Any, operator: Any, makers: dict[int, Any]) -> bool:
    """The last operator, quantized weights and inputs and sums in float, and the RESHAPE between it and the softmax."""
    from ai_edge_litert import schema_py_generated as schema

    def maker(place: int) -> tuple[str, Any]:
        return makers.get(operator.Inputs(place), ("", None)) if operator.InputsLength() > place else ("", None)

    name, before = maker(0)
    if name in {"FULLY_CONNECTED", "CONV_2D"} and operator.InputsLength() == 2:
        return _stored_in_int8(graph, before, makers)
    _, weights = maker(1)
    if name != "DEQUANTIZE" or weights is None or maker(1)[0] != "DEQUANTIZE":
        return False
    taken = (before.Inputs(0), weights.Inputs(0))
    return all(graph.Tensors(index).Type() == schema.TensorType.INT8 for index in taken)


def _onnx(data: bytes) -> Structure:
    import onnx

    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.op_type)
    in_float: Counter[str] = Counter()
    for node in graph.node:
        if node.op_type not in _PAIRS and not _between(node, makers, constants, readers):
            in_float[node.op_type] += 1
    weights: Counter[str] = Counter()
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.size >= SMALLEST and values.ndim >= 2:
            weights[values.dtype.name] += values.nbytes
    foreign = tuple(sorted({node.domain for node in graph.node} - {"", "ai.onnx"}))
    return Structure(dict(sorted(in_float.items())), dict(weights), foreign)


def _between(node: Any, makers: dict[str, str], constants: set[str], readers: dict[str, list[str]]) -> bool:
    """True where an engine can compute the node in integers: quantized before and behind, or bytes all along.

    The last operator gives its sums in float, straight to the softmax.
    """
    fed = [name for name in node.input if name and name not in constants]
    behind = {reader for name in node.output for reader in readers.get(name, ())}
    if behind == {"Softmax"} and node.op_type in {"Transpose", "Reshape"}:
        return True
    if fed and all(makers.get(name) in {None, "Transpose", "Reshape"} for name in fed):
        return node.op_type in {"Transpose", "Reshape"}
    if any(makers.get(name) != "DequantizeLinear" for name in fed):
        return False
    if node.op_type in _HEADS and behind in ({"Softmax"}, {"Reshape"}):
        return True
    return all(set(readers.get(name, ())) == {"QuantizeLinear"} for name in node.output)
