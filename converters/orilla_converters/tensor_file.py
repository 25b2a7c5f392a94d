"""Many tensors in one file, written and read one at a time: memory does not grow with the number of pictures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError


@dataclass(frozen=True, slots=True)
class TensorFile:
    """[n, …] in plain bytes, uint8 for pictures [n, height, width, depth]. `digest` is the sha256 of those bytes."""

    path: Path
    shape: tuple[int, ...]
    digest: str
    dtype: str = "uint8"

    def __len__(self) -> int:
        return self.shape[0]

    def open(self) -> NDArray[Any]:
        """The tensors as a read-only memory map."""
        if not self.shape[0]:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", shape=self.shape)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """The tensors one after another, without the batch; unlike a map's, their pages are not held."""
        dtype = np.dtype(self.dtype)
        size = math.prod(self.shape[1:]) * dtype.itemsize
        with self.path.open("rb") as file:
            for _ in range(len(self)):
                yield np.frombuffer(file.read(size), dtype).reshape(self.shape[1:])

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes; for a worker's job."""
        return {"path": str(self.path), "shape": list(self.shape), "digest": self.digest, "dtype": self.dtype}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TensorFile:
        """The file that `to_json` described."""
        return cls(Path(data["path"]), tuple(data["shape"]), data["digest"], data["dtype"])


def write_tensors(
    path: Path, tensors: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: str = "uint8"
) -> TensorFile:
    """Write tensors of [1, *shape] as they come.

    Raises:
        DataError: a tensor of another type or shape: real numbers, of whatever range, are no pixels.
    """
    digest, count = hashlib.sha256(), 0
    with path.open("wb") as file:
        for tensor in tensors:
            if tensor.dtype != dtype or tensor.shape != (1, *shape):
                raise DataError(f"A sample became {tensor.dtype} {list(tensor.shape)}, not {dtype} {[1, *shape]}.")
            data = np.ascontiguousarray(tensor).tobytes()
            file.write(data)
            digest.update(data)
            count += 1
    return TensorFile(path, (count, *shape), digest.hexdigest(), dtype)
