"""The manifest of a raw bundle: a model of any inputs and outputs, which no task reads. `docs/bundle.md` specifies it.

What a raw bundle shares with a classifier's has the same key; every field is a key of the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orilla_runtime.bundle.manifest import RAW, SCHEMA, Artifact, FileEntry, Manifest
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import dataclass, field
from orilla_runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class RawTaskInfo:
    """`name` is `raw`: what the outputs mean, nobody but the model's author knows."""

    name: str = RAW


@dataclass(frozen=True, slots=True)
class OutputMetrics:
    """One output of an artifact compared with Keras'.

    `sqnr_db`: signal to noise of all its values (None: no difference at all). `cosine`: between the two, each less the
    mean of Keras' values: -1 to 1. `max_abs_error`: the largest difference; `span`: Keras' largest value less its
    smallest.
    """

    name: str
    sqnr_db: float | None
    cosine: float
    max_abs_error: float
    span: float


@dataclass(frozen=True, slots=True)
class RawMetrics:
    """How an artifact compares with the Keras model it came from on `n` samples, output by output."""

    n: int
    outputs: tuple[OutputMetrics, ...]


@dataclass(frozen=True, slots=True)
class RawGate:
    """What the worst output had to pass; `max_error` is the largest error as a share of the output's span, or None."""

    min_sqnr_db: float
    min_cosine: float
    max_error: float | None


@dataclass(frozen=True, slots=True)
class RawArtifact:
    """One runnable file in the bundle; all of them take and give tensors of the same names in the same order."""

    path: str
    format: str
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    recipe: str
    metrics: RawMetrics | None = None
    gate: RawGate | None = None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenInput:
    """`path`: .npy [n, …] for the input `name`: uint8 pixels before any scaling for a picture, else float32."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class RawGoldenOutput:
    """What the artifact gives for the golden inputs as `output`: .npy, float32 [n, …], real numbers."""

    artifact: str
    output: str
    path: str
    tolerance: float


@dataclass(frozen=True, slots=True)
class GoldenPicture:
    """A full-size PNG, and the .npy, uint8 [1, height, width, depth], that `Preprocess` must make of it."""

    picture: str
    tensor: str
    tolerance: int = 2


@dataclass(frozen=True, slots=True)
class RawGolden:
    """The self-test. `kind` is `real` or `drawn`; `picture` is there where one picture is all that the model takes."""

    kind: str
    inputs: tuple[GoldenInput, ...]
    outputs: tuple[RawGoldenOutput, ...]
    picture: GoldenPicture | None = None


@dataclass(frozen=True, slots=True)
class RawManifest:
    """Everything that a raw bundle says of itself; `preprocess` holds, by its name, each input that is a picture."""

    name: str
    created_by: str
    task: RawTaskInfo
    preprocess: Mapping[str, Preprocess]
    artifacts: tuple[RawArtifact, ...]
    defaults: Mapping[str, str]
    files: tuple[FileEntry, ...]
    golden: RawGolden | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = (RAW,)
    extra: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def picture(self) -> Preprocess | None:
        """How a picture becomes the model's input, where one picture is all that it takes."""
        return next(iter(self.preprocess.values())) if self.preprocess and self.inputs == 1 else None

    @property
    def inputs(self) -> int:
        """How many tensors the model takes."""
        return len(self.artifacts[0].inputs)


AnyManifest = Manifest | RawManifest
AnyArtifact = Artifact | RawArtifact
