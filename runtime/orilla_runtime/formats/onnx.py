"""Reads an ONNX file without the onnx package and without an engine. Field numbers follow `onnx.proto`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.limits import Budget, CutFieldError, DamagedFileError
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.onnx_graph import Graph, own_domain, read_graph
from orilla_runtime.formats.onnx_metadata import labels_in, normalization_in, output_in
from orilla_runtime.formats.protobuf import Message
from orilla_runtime.records import dataclass
from orilla_runtime.tensors import TensorSpec

_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """Everything that an ONNX file says of itself. `external` names the files that hold its weights, if others do."""

    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    description: str
    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    makers: tuple[str | None, ...]
    metadata: Mapping[str, str]
    external: tuple[str, ...]

    def summary(self) -> ModelFile:
        """The file in the words of every format."""
        return ModelFile(
            format="onnx",
            inputs=self.inputs,
            outputs=self.outputs,
            operators=self.operators,
            makers=self.makers,
            labels=labels_in(self.metadata),
            normalization=normalization_in(self.metadata),
            output=output_in(self.metadata),
            name=self.metadata.get("name") or self.name,
            description=self.description,
            producer=self.producer,
            opsets=self.opsets,
            ir_version=self.ir_version,
            custom=tuple(name for name in self.operators if ":" in name),
            outside=self.external,
            metadata=self.metadata,
        )


def read_onnx(data: bytes, name: str = "the model") -> OnnxFile:
    """Read an ONNX file.

    Raises:
        ModelError: not an ONNX file, damaged or cut.
    """
    # Nothing in a protobuf is shared, so the work is a small multiple of its length; the cap is some seconds.
    budget = Budget(min(40 * len(data) + 1000, 20_000_000))
    try:
        return _read(Message.root(data, budget))
    except DamagedFileError as error:
        raise ModelError(f"{name}: the ONNX file is damaged or cut ({error}).", "Copy or export it again.") from error


def looks_like_onnx(data: bytes) -> bool:
    """True where the outermost fields are those of an ONNX model and one of them is its graph."""
    numbers = set()
    try:
        for number, value in Message.root(data, Budget(10_000)).fields():
            numbers.add(number)
            if number == 7 and not isinstance(value, Message):
                return False
    except CutFieldError as error:
        # A cut file is still an ONNX file: its reader says that it is cut.
        numbers.add(error.number)
    except DamagedFileError:
        return False
    return 7 in numbers and numbers <= _FIELDS


def _read(model: Message) -> OnnxFile:
    opsets = {own_domain(entry.text(1)): entry.number(2, 1) for entry in model.messages(8)}
    body = model.message(7)
    if body is None:
        raise DamagedFileError("it holds no graph")
    graph: Graph = read_graph(body)
    operators: Counter[str] = Counter(graph.operators)
    producer = f"{model.text(2)} {model.text(3)}".strip()
    return OnnxFile(
        ir_version=model.number(1),
        opsets=opsets,
        producer=producer,
        description=model.text(6),
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        operators=dict(operators),
        makers=graph.makers,
        metadata={entry.text(1): entry.text(2) for entry in model.messages(14)},
        external=graph.external,
    )
