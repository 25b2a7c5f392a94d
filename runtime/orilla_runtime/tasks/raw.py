"""Raw: the outputs as the model gives them, for models that no other task fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from orilla_runtime.records import dataclass
from orilla_runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class RawOutputs:
    """The output tensors by name, copies, as the engine stores them (quantized values are not converted)."""

    tensors: Mapping[str, NDArray[Any]]


class RawTask:
    """Passes the outputs on."""

    name = "raw"

    def decode(self, outputs: tuple[NDArray[Any], ...], specs: tuple[TensorSpec, ...]) -> RawOutputs:
        """A copy of each output under its name."""
        return RawOutputs({spec.name: array.copy() for spec, array in zip(specs, outputs, strict=True)})
