"""Arrays of one shape in a scratch file, read by their place: memory holds only what is asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from orilla_runtime.errors import DataError


class Rows:
    """A file of rows of `shape` and `dtype`, of at most `limit`; safe in several threads.

    Rows are read and written, never mapped: the pages of a map count as memory of this process, and writing through a
    map kills the process where the disk is full.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, limit: int | None = None) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self._limit = limit
        self._count = 0
        self._lock = threading.Lock()
        self._path = path
        self._file = path.open("w+b", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it stays where it is, unless it was hidden."""
        self._file.close()

    def hide(self) -> None:
        """Take the file's name away: its room is free again with the end of this process, however that comes."""
        with suppress(OSError):  # Windows removes no open file.
            self._path.unlink()

    def __len__(self) -> int:
        return self._count

    def append(self, row: NDArray[Any]) -> bool:
        """Write one more row; False, and nothing more is taken, where the limit is reached or the disk is full."""
        if self._limit is not None and self._count >= self._limit:
            return False
        data = np.ascontiguousarray(row, self.dtype)
        try:
            with self._lock:
                self._file.seek(self._count * self._row_bytes)
                whole = self._file.write(data.tobytes()) == self._row_bytes
        except OSError:
            whole = False
        if not whole:
            self._limit = self._count
            return False
        self._count += 1
        return True

    def read(self, places: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """The rows at `places`, in that order.

        Raises:
            DataError: the file was cut by someone else.
        """
        found = np.empty((len(places), *self.shape), self.dtype)
        with self._lock:
            for place, row in zip(places, found, strict=True):
                self._file.seek(int(place) * self._row_bytes)
                if self._file.readinto(row.data) != self._row_bytes:
                    raise DataError(f"{self._path} was cut while it was in use.", "Start again; keep scratch files.")
        return found
