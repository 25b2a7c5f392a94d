"""What a model file says of itself, in the same words for every format."""

from __future__ import annotations

from collections.abc import Mapping

from orilla_runtime.records import dataclass, field
from orilla_runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Normalization:
    """`(pixel - mean) / std` on pixels of 0..255: one value, or one a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file, read without an engine.

    format: `tflite` or `onnx`.
    inputs, outputs: in the order of the only signature, or of the graph.
    operators: how often each stands in the file. A custom operator has its own name, one of another ONNX domain
        is `domain:Name`.
    makers: for each output, the operator that gives its values (reshapes, casts and quantization are looked through);
        None where nothing makes it.
    labels: class names that the file ties to its output; `label_files`: text files inside a TFLite file, as lines.
    normalization: what the file says its float input takes.
    output: `probabilities` or `logits` where the file says so itself.
    signatures: their names (TFLite).
    opsets, ir_version: of ONNX: the operator sets by domain, `""` being its own, and the version of the file's grammar.
    least_runtime: the oldest TFLite runtime that knows the operators, as the converter wrote it.
    custom: those operators that are not of the format's own set. outside: files that hold weights, beside the model.
    metadata: every other text entry.
    """

    format: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    makers: tuple[str | None, ...]
    labels: tuple[str, ...] | None = None
    label_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    normalization: Normalization | None = None
    output: str | None = None
    name: str = ""
    description: str = ""
    producer: str = ""
    signatures: tuple[str, ...] = ()
    opsets: Mapping[str, int] = field(default_factory=dict)
    ir_version: int | None = None
    least_runtime: str | None = None
    custom: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
