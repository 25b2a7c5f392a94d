"""What goes into a model and what comes out, one port a tensor: what both writers need to know besides the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orilla_converters.normalization import Normalization
from orilla_runtime.errors import ConversionError


class NoClassifierError(ConversionError):
    """A model that gives no scores of classes for one picture: it becomes a raw bundle."""


IMAGE, PROBABILITIES = "image", "probabilities"
"""The names of a classifier's ports, in every artifact."""


@dataclass(frozen=True, slots=True)
class InputPort:
    """`shape`: without the batch. `normalization`: of a picture's pixels, before the core takes them; None: no picture.

    A picture is uint8 [height, width, 1 or 3] in the artifact, everything else float32.
    """

    name: str
    shape: tuple[int, ...]
    normalization: Normalization | None = None


@dataclass(frozen=True, slots=True)
class OutputPort:
    """`shape`: without the batch. `softmax`: stands behind what the core gives, in float, and is not in the core."""

    name: str
    shape: tuple[int, ...]
    softmax: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """All of a model's, in the order of its signature; `labelled`: a classifier, whose labels go into the file."""

    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    labelled: bool = False

    @property
    def pictures(self) -> tuple[InputPort, ...]:
        """The inputs that are pictures."""
        return tuple(port for port in self.inputs if port.normalization is not None)

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the inputs and those of the outputs."""
        return tuple(port.name for port in self.inputs), tuple(port.name for port in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes; plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ports:
        """The ports that `to_json` described."""
        inputs = (
            InputPort(one["name"], tuple(one["shape"]), one["normalization"] and Normalization(**one["normalization"]))
            for one in data["inputs"]
        )
        outputs = (OutputPort(one["name"], tuple(one["shape"]), one["softmax"]) for one in data["outputs"])
        return cls(tuple(inputs), tuple(outputs), data["labelled"])


def single(tensors: Sequence[Any]) -> Any:
    """How a Keras model takes them: one tensor, or a list of several."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


def listed(given: Any) -> list[Any]:
    """What a Keras model of flat inputs and outputs gives, always as a list."""
    return list(given) if isinstance(given, list | tuple) else [given]
