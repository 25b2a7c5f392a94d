"""Reads a TFLite file without TensorFlow and without an interpreter.

Slot numbers follow `schema.fbs` of LiteRT (file identifier TFL3).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.flatbuffer import Buffer, Table
from orilla_runtime.formats.limits import Budget, DamagedFileError
from orilla_runtime.formats.tflite_names import CUSTOM, dtype_name, operator_name
from orilla_runtime.records import dataclass
from orilla_runtime.tensors import Quantization, TensorSpec

if TYPE_CHECKING:
    from orilla_runtime.formats.model_file import ModelFile
    from orilla_runtime.formats.tflite_metadata import TFLiteMetadata

# They pass values on, so the operator before them decides what an output means.
_PASSING = frozenset({"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST"})
_LONGEST_CHAIN = 32


class Port(NamedTuple):
    """One input or output: its tensor's number in the subgraph, its description, and the operator that makes it."""

    tensor: int
    spec: TensorSpec
    maker: str | None


class Signature(NamedTuple):
    """A named way to call the model. `name` is empty for the first subgraph as it stands."""

    name: str
    subgraph: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class TFLiteFile:
    """Everything that a TFLite file says of itself. `graph` is the first subgraph, addressed without a signature."""

    description: str
    operators: Mapping[str, int]
    custom: tuple[str, ...]
    graph: Signature
    signatures: tuple[Signature, ...]
    least_runtime: str | None
    metadata_names: tuple[str, ...]
    metadata: TFLiteMetadata | None
    texts: Mapping[str, tuple[str, ...]]

    def call(self, signature: str | None = None) -> Signature:
        """The signature of that name; without a name the only one, or the graph where the file has none.

        Raises:
            ModelError: no such signature, or several and none was named.
        """
        names = ", ".join(one.name for one in self.signatures)
        if signature is not None:
            found = [one for one in self.signatures if one.name == signature]
            if not found:
                raise ModelError(f"The model has no signature {signature!r}.", f"It has: {names or 'none'}.")
            return found[0]
        if len(self.signatures) > 1:
            raise ModelError(
                f"The model has {len(self.signatures)} signatures ({names}), and none was chosen.",
                f"Choose one: orilla.load(…, signature='{self.signatures[0].name}').",
            )
        return self.signatures[0] if self.signatures else self.graph

    def summary(self) -> ModelFile:
        """The file in the words of every format, called by its only signature, else as the graph stands."""
        from orilla_runtime.formats.model_file import ModelFile
        from orilla_runtime.formats.tflite_metadata import TFLiteMetadata

        call = self.signatures[0] if len(self.signatures) == 1 else self.graph
        metadata = self.metadata or TFLiteMetadata()
        words = {"author": metadata.author, "license": metadata.licence, "version": metadata.version}
        return ModelFile(
            format="tflite",
            inputs=tuple(port.spec for port in call.inputs),
            outputs=tuple(port.spec for port in call.outputs),
            operators=self.operators,
            makers=tuple(port.maker for port in call.outputs),
            labels=self._labels(metadata),
            label_files=self.texts,
            normalization=metadata.inputs[0].normalization if len(metadata.inputs) == 1 else None,
            name=metadata.name,
            description=metadata.description or self.description,
            signatures=tuple(signature.name for signature in self.signatures),
            least_runtime=self.least_runtime,
            custom=self.custom,
            metadata={key: value for key, value in words.items() if value},
        )

    def _labels(self, metadata: TFLiteMetadata) -> tuple[str, ...] | None:
        """The label file that the metadata ties to the only output."""
        from orilla_runtime.formats.tflite_metadata import AXIS_LABELS

        if len(metadata.outputs) != 1 or len(self.graph.outputs) != 1:
            return None
        tied = [file.name for file in metadata.outputs[0].files if file.kind == AXIS_LABELS]
        for name in tied:
            if name in self.texts:
                return self.texts[name]
        return None


def read_tflite(data: bytes, name: str = "the model", *, words: bool = True) -> TFLiteFile:
    """Read a TFLite file; without `words`, its operators, metadata and labels stay unread, which no engine needs.

    Raises:
        ModelError: not a TFLite file, damaged or cut.
    """
    try:
        return _read(data, words)
    except DamagedFileError as error:
        raise ModelError(
            f"{name}: the TFLite file is damaged or cut ({error}).", "Copy or convert it again."
        ) from error


def _read(data: bytes, words: bool) -> TFLiteFile:
    if data[4:8] != b"TFL3":
        raise DamagedFileError("it does not carry the mark TFL3")
    budget = Budget()
    model = Buffer(data, budget).root()
    codes = tuple(_operator_codes(model))
    graphs = tuple(_Graph(table, codes if words else None) for table in model.tables(2))
    if not graphs:
        raise DamagedFileError("it holds no graph")
    entries = {entry.text(0): entry.number(1, "I") for entry in model.tables(6)}
    metadata, texts = _words(data, _entry(model, entries.get("TFLITE_METADATA")), budget) if words else (None, {})
    least = _entry(model, entries.get("min_runtime_version"))
    operators: Counter[str] = Counter()
    for graph in graphs:
        operators.update(graph.operators)
    return TFLiteFile(
        description=model.text(3),
        operators=dict(operators),
        custom=tuple(name for name, custom in dict.fromkeys(codes) if custom),
        graph=Signature("", 0, graphs[0].ports(graphs[0].inputs), graphs[0].ports(graphs[0].outputs)),
        signatures=tuple(_signatures(model, graphs)),
        least_runtime=str(least, "ascii", "replace").rstrip("\0") or None if least is not None else None,
        metadata_names=tuple(entries),
        metadata=metadata,
        texts=texts,
    )


def _words(
    data: bytes, entry: memoryview | None, budget: Budget
) -> tuple[TFLiteMetadata | None, Mapping[str, tuple[str, ...]]]:
    from orilla_runtime.formats.tflite_metadata import read_metadata, read_packed_texts

    return (read_metadata(entry, budget) if entry is not None else None), read_packed_texts(data)


def _operator_codes(model: Table) -> Iterator[tuple[str, bool]]:
    """Name of each operator code, and whether it is a custom operator."""
    for table in model.tables(1):
        # Codes above 127 stand in a newer, wider field; the old one then holds a placeholder below them.
        code = max(table.number(0, "b"), table.number(3, "i"))
        yield (table.text(1) or "CUSTOM", True) if code == CUSTOM else (operator_name(code), False)


def _entry(model: Table, index: int | None) -> memoryview | None:
    """The bytes of one metadata buffer."""
    if index is None:
        return None
    table = model.table_at(4, index)
    if table is None:
        raise DamagedFileError("a metadata entry names a buffer that is not there")
    return table.bytes(0)


def _signatures(model: Table, graphs: tuple[_Graph, ...]) -> Iterator[Signature]:
    for table in model.tables(7):
        number = table.number(4, "I")
        if number >= len(graphs):
            raise DamagedFileError("a signature names a graph that is not there")
        graph = graphs[number]
        inputs = _signature_ports(table, 0, graph, graph.inputs)
        outputs = _signature_ports(table, 1, graph, graph.outputs)
        yield Signature(table.text(2), number, inputs, outputs)


def _signature_ports(table: Table, slot: int, graph: _Graph, among: tuple[int, ...]) -> tuple[Port, ...]:
    """The tensors that a signature names. Writing to any that is no input of the graph can crash an interpreter."""
    entries = [(entry.text(0), entry.number(1, "I")) for entry in table.tables(slot)]
    if not {tensor for _, tensor in entries} <= set(among):
        raise DamagedFileError("a signature names tensors that are no inputs or outputs of its graph")
    return graph.ports(tuple(tensor for _, tensor in entries), tuple(name for name, _ in entries))


class _Graph:
    """One subgraph: who makes which tensor, and the description of the tensors that are asked for.

    Without `codes` nobody asks who makes what: walking a thousand operators takes longer than all the rest.
    """

    def __init__(self, table: Table, codes: tuple[tuple[str, bool], ...] | None) -> None:
        self._table = table
        # As if each were read: a small file can have a thousand graphs that share one list of tensors.
        table.buffer.budget.spend(table.count(0))
        self.inputs = table.integers(1)
        self.outputs = table.integers(2)
        self.operators: Counter[str] = Counter()
        self._made: dict[int, tuple[str, int]] = {}
        if codes is None:
            return
        for operator in table.tables(3):
            index = operator.number(0, "I")
            if index >= len(codes):
                raise DamagedFileError("an operator has a kind that is not there")
            name = codes[index][0]
            self.operators[name] += 1
            source = operator.first(1, "i")
            for output in operator.integers(2):
                self._made[output] = name, -1 if source is None else int(source)

    def ports(self, tensors: tuple[int, ...], names: tuple[str, ...] = ()) -> tuple[Port, ...]:
        return tuple(
            Port(tensor, self._spec(tensor, names[place] if names else None), self._maker(tensor))
            for place, tensor in enumerate(tensors)
        )

    def _maker(self, tensor: int) -> str | None:
        for _ in range(_LONGEST_CHAIN):
            name, source = self._made.get(tensor, (None, -1))
            if name not in _PASSING:
                return name
            tensor = source
        return None

    def _spec(self, tensor: int, name: str | None) -> TensorSpec:
        table = self._table.table_at(0, tensor)
        if table is None:
            raise DamagedFileError("an input or output names a tensor that is not there")
        # The signature says -1 where `shape` holds only what the file was written with.
        shape = table.integers(7) or table.integers(0)
        dtype = dtype_name(table.number(1, "b"))
        return TensorSpec(
            name=table.text(3) if name is None else name,
            shape=tuple(None if side < 0 else side for side in shape),
            dtype=dtype,
            quantization=_quantization(table.table(4)) if dtype in {"uint8", "int8", "int16"} else None,
        )


def _quantization(table: Table | None) -> Quantization | None:
    """Scale and zero point of a whole tensor; inputs and outputs have no others."""
    if table is None or table.count(2) != 1:
        return None
    scale = table.first(2, "f")
    zero_point = table.first(3, "q")
    return Quantization(float(scale), int(zero_point or 0)) if scale and math.isfinite(scale) else None
