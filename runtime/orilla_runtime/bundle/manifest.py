"""The manifest of a bundle, as data. `docs/bundle.md` is its specification, `codec.py` its JSON.

Every field is a key of the JSON; a new field is a new key, which readers of today refuse by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import dataclass, field
from orilla_runtime.tensors import TensorSpec

SCHEMA = 1
RAW = "raw"
FEATURES: frozenset[str] = frozenset({RAW})
"""Names in `features` that this reader knows; any other is refused. `raw`: the manifest is a `RawManifest`."""


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the outputs mean. `name` is `classification`; `output` is `probabilities` or `logits`.

    `labels` stand in class order and may repeat: the class id is the identity. `temperature` divides the logits.
    """

    name: str
    labels: tuple[str, ...]
    output: str = "probabilities"
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Top-1 on `n` labelled pictures with its 95 % Wilson interval; fractions of 1."""

    n: int
    top1: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """How an artifact compares with the Keras model it came from.

    `accuracy` and `keras_accuracy` are None where the pictures had no labels. `agreement` is the share of `n` pictures
    with the same top-1. `sqnr_db` is of the centred logits (None: no difference at all). `max_abs_error` is of the
    output.
    """

    n: int
    agreement: float
    sqnr_db: float | None
    max_abs_error: float
    accuracy: Accuracy | None = None
    keras_accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """What an artifact had to pass; `max_drop` is in fractions of top-1 against Keras."""

    min_agreement: float
    min_sqnr_db: float
    max_drop: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """One runnable file in the bundle. `recipe` is its one-line spelling (`tflite:int8`)."""

    path: str
    format: str
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    recipe: str
    metrics: Metrics | None = None
    gate: Gate | None = None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenOutput:
    """An artifact's outputs for the golden inputs and how far another kernel may be from them.

    `path`: .npy, float32 [n, …], real numbers (a quantized output is dequantized). `tolerance`: max abs difference.
    """

    artifact: str
    path: str
    tolerance: float


@dataclass(frozen=True, slots=True)
class Golden:
    """The self-test. `kind` is `real` or `drawn`.

    `inputs`: .npy, uint8 [n, height, width, depth], the tensors before any scaling. `picture`: a full-size PNG, and
    `tensor`: the .npy, uint8 [1, height, width, depth], that `Preprocess` must make of it before any scaling, within
    `picture_tolerance` levels.
    """

    kind: str
    inputs: str
    outputs: tuple[GoldenOutput, ...]
    picture: str
    tensor: str
    picture_tolerance: int = 2


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Another entry of the bundle: its size in bytes and its sha256 in lower-case hexadecimal digits."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a bundle says of itself.

    `defaults` names the artifact for a target (`tflite`, `onnx`). `training` and `extra` are plain JSON objects:
    enough to repeat the training; and free, bounded and ignored.
    """

    name: str
    created_by: str
    task: TaskInfo
    preprocess: Preprocess
    artifacts: tuple[Artifact, ...]
    defaults: Mapping[str, str]
    files: tuple[FileEntry, ...]
    golden: Golden | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
