"""What opens an artifact of any format to judge it: the runtime's engines, and TensorFlow for what no device runs."""

from __future__ import annotations

from orilla_converters.ports import Ports
from orilla_converters.serving import TensorFlow
from orilla_runtime.engines.base import Engine
from orilla_runtime.engines.selection import engine_for

KERNELS = ("default", "reference")


def judging_engine(format_: str, ports: Ports | None = None) -> Engine:
    """The engine that an artifact of this format is judged in. Raises as `engine_for`.

    ports: the model's, where it has several: a SavedModel's signature keeps their names and not their order.
    """
    served = TensorFlow() if ports is None else TensorFlow(*ports.names)
    return served if format_ in served.formats else engine_for(format_)


def kernels_of(format_: str) -> tuple[str, ...]:
    """The sets of kernels of that engine which may differ from each other."""
    return KERNELS[:1] if format_ in TensorFlow.formats else KERNELS
