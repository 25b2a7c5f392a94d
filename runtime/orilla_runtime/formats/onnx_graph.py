"""The graph of an ONNX file: operators, inputs, outputs, and what the quantized ones stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from orilla_runtime.formats.limits import DamagedFileError
from orilla_runtime.formats.protobuf import Message
from orilla_runtime.records import dataclass
from orilla_runtime.tensors import Quantization, TensorSpec

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
}  # fmt: skip
_PASSING = frozenset(
    {"DequantizeLinear", "QuantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast", "Identity"}
)
_LONGEST_CHAIN = 32
_DEEPEST = 16
_EXTERNAL = 1


@dataclass(frozen=True, slots=True)
class Graph:
    """What a graph says of itself; `external` names the files that hold weights."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    makers: tuple[str | None, ...]
    external: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constant: Message | None


def own_domain(domain: str) -> str:
    """ONNX's own domain has two spellings."""
    return "" if domain == "ai.onnx" else domain


def read_graph(graph: Message) -> Graph:
    """Read the outermost graph; graphs inside its operators are only counted. Raises DamagedFileError."""
    constants: dict[str, Message] = {tensor.text(8): tensor for tensor in graph.messages(5)}
    external = sorted({file for tensor in constants.values() for file in _external(tensor)})
    operators: Counter[str] = Counter()
    nodes = [_node(message, operators) for message in graph.messages(1)]
    for node in nodes:
        if node.constant is not None and node.outputs:
            constants[node.outputs[0]] = node.constant
    makers = {name: node for node in nodes for name in node.outputs}
    stored = {name: scale for node in nodes for name, scale in _scales(node, constants)}
    return Graph(
        name=graph.text(2),
        # Before IR version 4 the weights stand among the inputs, too.
        inputs=tuple(spec for spec in _specs(graph, 11, stored) if spec.name not in constants),
        outputs=tuple(_specs(graph, 12, stored)),
        operators=dict(operators),
        makers=tuple(_maker(spec.name, makers) for spec in _specs(graph, 12, stored)),
        external=tuple(external),
    )


def _node(message: Message, operators: Counter[str]) -> _Node:
    """One operator; it and those inside its own graphs are counted."""
    constant = None
    inner: list[tuple[Message, int]] = [(message, 0)]
    while inner:
        node, depth = inner.pop()
        if depth > _DEEPEST:
            raise DamagedFileError(f"its graphs are nested more than {_DEEPEST} deep")
        domain = own_domain(node.text(7))
        operators[f"{domain}:{node.text(4)}" if domain else node.text(4)] += 1
        for attribute in node.messages(5):
            if node is message and attribute.text(1) == "value":
                constant = attribute.message(5)
            for graph in (*attribute.messages(6), *attribute.messages(11)):
                inner += ((one, depth + 1) for one in graph.messages(1))
    operator = message.text(4)
    return _Node(
        operator=operator,
        inputs=tuple(name.as_text() for name in message.messages(1)),
        outputs=tuple(name.as_text() for name in message.messages(2)),
        constant=constant if operator == "Constant" else None,
    )


def _specs(graph: Message, field: int, stored: Mapping[str, Quantization]) -> Iterator[TensorSpec]:
    for value in graph.messages(field):
        name = value.text(1)
        kind = value.message(2)
        tensor = kind.message(1) if kind else None
        if tensor is None:
            yield TensorSpec(name, (), "sequence or map" if kind else "unknown")
            continue
        shape = tensor.message(2)
        dtype = _DTYPES.get(tensor.number(1), f"type_{tensor.number(1)}")
        sides = tuple(_side(dimension) for dimension in shape.messages(1)) if shape else ()
        yield TensorSpec(name, sides, dtype, stored.get(name) if dtype in {"uint8", "int8", "uint16"} else None)


def _side(dimension: Message) -> int | None:
    """The size of a dimension; None where it has a name or nothing."""
    size = dimension.number(1, -1)
    return size if size >= 0 else None


def _maker(name: str, makers: Mapping[str, _Node]) -> str | None:
    for _ in range(_LONGEST_CHAIN):
        node = makers.get(name)
        if node is None:
            return None
        if node.operator not in _PASSING or not node.inputs:
            return node.operator
        name = node.inputs[0]
    return None


def _scales(node: _Node, constants: Mapping[str, Message]) -> Iterator[tuple[str, Quantization]]:
    """What the stored side of a quantizing operator stands for, where scale and zero point are single constants."""
    if node.operator not in {"QuantizeLinear", "DequantizeLinear"} or len(node.inputs) < 2 or not node.outputs:
        return
    scale = constants.get(node.inputs[1])
    zero_point = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if scale is None or not _is_single(scale) or (zero_point is not None and not _is_single(zero_point)):
        return
    value = _float(scale)
    if value:
        side = node.outputs[0] if node.operator == "QuantizeLinear" else node.inputs[0]
        yield side, Quantization(value, _integer(zero_point) if zero_point is not None else 0)


def _is_single(tensor: Message) -> bool:
    return all(side == 1 for side in tensor.numbers(1))


def _float(tensor: Message) -> float | None:
    """A float32 constant: raw bytes, or a repeated float."""
    return tensor.first_float(9) if tensor.message(9) else tensor.first_float(4)


def _integer(tensor: Message) -> int:
    """A uint8, int8, uint16 or int16 constant: raw bytes, or a repeated int32."""
    raw = tensor.message(9)
    if raw is not None:
        return int.from_bytes(raw.raw()[:2], "little", signed=tensor.number(2) in {3, 5})
    values = tensor.numbers(5)
    return values[0] if values else 0


def _external(tensor: Message) -> Iterator[str]:
    """The names of files outside the model that hold this tensor."""
    if tensor.number(14) == _EXTERNAL:
        for entry in tensor.messages(13):
            if entry.text(1) == "location":
                yield entry.text(2)
