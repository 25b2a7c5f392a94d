"""Many uint8 tensors in one file, written and read one at a time: memory does not grow with the number of pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError


@dataclass(frozen=True, slots=True)
class TensorFile:
    """uint8 [n, height, width, depth] in plain bytes. `digest` is the sha256 of those bytes."""

    path: Path
    shape: tuple[int, int, int, int]
    digest: str

    def __len__(self) -> int:
        return self.shape[0]

    def open(self) -> NDArray[np.uint8]:
        """The tensors as a read-only memory map."""
        if not self.shape[0]:
            return np.empty(self.shape, np.uint8)
        return np.memmap(self.path, np.uint8, "r", shape=self.shape)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """The tensors one after another, [height, width, depth]; unlike a map's, their pages are not held."""
        size = self.shape[1] * self.shape[2] * self.shape[3]
        with self.path.open("rb") as file:
            for _ in range(len(self)):
                yield np.frombuffer(file.read(size), np.uint8).reshape(self.shape[1:])

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes; for a worker's job."""
        return {"path": str(self.path), "shape": list(self.shape), "digest": self.digest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TensorFile:
        """The file that `to_json` described."""
        return cls(Path(data["path"]), tuple(data["shape"]), data["digest"])


def write_tensors(path: Path, tensors: Iterable[NDArray[np.uint8]], shape: tuple[int, int, int]) -> TensorFile:
    """Write tensors of [1, height, width, depth] as they come.

    Raises:
        DataError: a tensor of another type or shape: real numbers, of whatever range, are no pixels.
    """
    digest, count = hashlib.sha256(), 0
    with path.open("wb") as file:
        for tensor in tensors:
            if tensor.dtype != np.uint8 or tensor.shape != (1, *shape):
                raise DataError(f"A picture became {tensor.dtype} {list(tensor.shape)}, not uint8 {[1, *shape]}.")
            data = np.ascontiguousarray(tensor).tobytes()
            file.write(data)
            digest.update(data)
            count += 1
    return TensorFile(path, (count, *shape), digest.hexdigest())
