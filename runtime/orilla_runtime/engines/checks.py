"""Checks that every engine makes of what it is given, so that a wrong tensor is named and never computed with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import UsageError
from orilla_runtime.tensors import TensorSpec

KERNELS = ("default", "reference")


def thread_count(options: EngineOptions) -> int:
    """The number of threads to use. Raises UsageError for a number below 1 and for kernels that do not exist."""
    if options.kernels not in KERNELS:
        raise UsageError(f"kernels={options.kernels!r} is not known.", f"Use {' or '.join(KERNELS)}.")
    if options.threads is None:
        return usable_cpus()
    if isinstance(options.threads, bool) or not isinstance(options.threads, int) or options.threads < 1:
        raise UsageError(f"threads={options.threads!r} is not possible.", "Give 1 or more, or leave it out.")
    return options.threads


def checked(tensors: tuple[NDArray[Any], ...], specs: tuple[TensorSpec, ...]) -> tuple[NDArray[Any], ...]:
    """The tensors, contiguous.

    Raises:
        UsageError: another number of tensors, another shape or another dtype than the model takes.
    """
    if len(tensors) != len(specs):
        wanted = ", ".join(map(str, specs)) or "none"
        raise UsageError(
            f"The model takes {len(specs)} tensor(s), not {len(tensors)}.", f"Give them in this order: {wanted}."
        )
    return tuple(_checked(tensor, spec) for tensor, spec in zip(tensors, specs, strict=True))


def _checked(tensor: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    array = np.asarray(tensor)
    fits = array.ndim == len(spec.shape) and all(
        side > 0 if wanted is None else side == wanted for side, wanted in zip(array.shape, spec.shape, strict=True)
    )
    if not fits or not _same_dtype(array, spec.dtype):
        given = f"{array.dtype}[{'x'.join(map(str, array.shape)) or 'scalar'}]"
        raise UsageError(f"The model's input is {spec}, not {given}.", "Give a tensor of that shape and dtype.")
    return np.ascontiguousarray(array) if array.ndim else array


def _same_dtype(array: NDArray[Any], wanted: str) -> bool:
    return array.dtype.kind in "SUO" if wanted == "string" else array.dtype == np.dtype(wanted)
