"""The seam between Orilla and the inference engines.

An engine turns the bytes of an artifact into a session; a session turns tensors into tensors. Protocols, not base
classes: an engine outside this tree needs nothing of ours but these shapes (entry point group `orilla.engines`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from orilla_runtime.records import dataclass, field
from orilla_runtime.tensors import TensorSpec

Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a session is to be run.

    `device`: `auto` (the engine's best that works) or a name from `Availability.devices`; a device that was named and
    is not there is an error. `threads`: None takes every CPU that this process may use. `signature` picks one of
    several signatures of a TFLite file. `kernels`: `default`, or `reference` for the engine's plain kernels (slow; used
    to measure how far kernels of one engine differ).
    """

    device: str = "auto"
    threads: int | None = None
    signature: str | None = None
    kernels: str = "default"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an engine works here: `devices` ran a one-node model; without any, `reason` and `remedy` say why not.

    `notes` has, for a device that did not run it, the reason. `untested` are the devices on which Orilla's makers never
    ran a whole model.
    """

    devices: tuple[str, ...]
    version: str | None = None
    reason: str = ""
    remedy: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    untested: tuple[str, ...] = ()


class Session(Protocol):
    """One loaded artifact, ready to run. Not thread-safe; cheap to call; tensors in the signature's order."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def device(self) -> str:
        """What really runs the model, for example `cpu` or `cuda`."""
        ...

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]: ...
    def close(self) -> None: ...


class Engine(Protocol):
    """A way to run files of some formats (`tflite`, `onnx`)."""

    @property
    def name(self) -> str: ...
    @property
    def formats(self) -> frozenset[str]: ...
    def availability(self) -> Availability: ...
    def load(self, model: bytes, options: EngineOptions) -> Session:
        """Open a model.

        Raises:
            ModelError: the engine does not open this file (unknown operator, damaged, too new).
            EngineError: the engine or the device that was asked for is not there.
        """
        ...
