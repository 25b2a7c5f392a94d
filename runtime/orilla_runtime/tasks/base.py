"""The seam between a model's output tensors and a result that a program can use."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from orilla_runtime.tensors import TensorSpec

R_co = TypeVar("R_co", covariant=True)


class Task(Protocol[R_co]):
    """Decodes the outputs of one picture; entry point group `orilla.tasks`."""

    @property
    def name(self) -> str: ...
    def decode(self, outputs: tuple[NDArray[Any], ...], specs: tuple[TensorSpec, ...]) -> R_co:
        """Turn one call's outputs (batch of one, as stored by the engine) into a result."""
        ...
