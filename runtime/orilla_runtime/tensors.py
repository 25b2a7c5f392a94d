"""What a model says of its inputs and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.records import dataclass


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization of a whole tensor: `real = (stored - zero_point) * scale`."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    `shape` holds None for a dimension that the file leaves open. `dtype` is numpy's name (`uint8`, `float32`, …) or
    `string`. `quantization` is set for an integer tensor that stands for real numbers.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    quantization: Quantization | None = None

    def real(self, tensor: NDArray[np.generic]) -> NDArray[np.float32]:
        """The real numbers that `tensor` stands for, as float32 of the same shape."""
        if self.quantization is None:
            return tensor.astype(np.float32, copy=False)
        scale = np.float32(self.quantization.scale)
        return (tensor.astype(np.float32) - np.float32(self.quantization.zero_point)) * scale

    def stored(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Real numbers as the tensor stores them: rounded to its scale and zero point where it is quantized."""
        dtype = np.dtype(self.dtype)
        if self.quantization is None:
            return real.astype(dtype, copy=False)
        limits = np.iinfo(dtype)
        steps = np.rint(real / np.float32(self.quantization.scale)) + self.quantization.zero_point
        whole: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(dtype)
        return whole

    def __str__(self) -> str:
        shape = "x".join("?" if side is None else str(side) for side in self.shape) or "scalar"
        return f"{self.name} {self.dtype}[{shape}]"
