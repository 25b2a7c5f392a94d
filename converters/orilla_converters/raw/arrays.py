"""Arrays of an `.npz` file, a sample at a time: memory does not grow with their number."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from orilla_converters.ports import InputPort
from orilla_runtime.errors import DataError

BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What reading a damaged `.npz` raises."""


@dataclass(frozen=True, slots=True)
class ArrayReader:
    """One array; each iteration reads it from the beginning, as rows of [*shape].

    Raises:
        DataError: while iterating: the file is cut or damaged, or a value is not finite.
    """

    file: Path
    archive: zipfile.ZipFile
    name: str
    count: int
    shape: tuple[int, ...]
    dtype: str

    def __iter__(self) -> Iterator[NDArray[Any]]:
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        try:
            with self.archive.open(f"{self.name}.npy") as stream:
                array_header(stream)
                for place in range(self.count):
                    yield self._row(stream.read(size), size, place)
        except BROKEN as error:
            raise _damaged(self.file, self.name, error) from error

    def _row(self, data: bytes, size: int, place: int) -> NDArray[Any]:
        if len(data) < size:
            raise EOFError("it is cut")
        row = np.frombuffer(data, self.dtype).reshape(self.shape)
        if row.dtype.kind == "f" and not np.isfinite(row).all():
            raise DataError(
                f"{self.file}: sample {place} of {self.name!r} holds values that are not finite.", "Leave it out."
            )
        return row


@contextmanager
def open_arrays(path: Path, inputs: Sequence[InputPort]) -> Iterator[Mapping[str, ArrayReader]]:
    """The array of each input, by its name.

    Raises:
        DataError: no such file or no `.npz`; an array is missing, strange, or of another shape, type or length.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.", "Write it with numpy.savez(PATH, NAME=array, …).") from None
    except BROKEN as error:
        raise DataError(
            f"{path} is no .npz file: {error}.", "Write it with numpy.savez(PATH, NAME=array, …)."
        ) from error
    with archive:
        _require_names(path, archive, inputs)
        readers = {port.name: _reader(path, archive, port) for port in inputs}
        counts = {name: reader.count for name, reader in readers.items()}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise DataError(f"{path}: the arrays have different numbers of samples: {said}.", "Give as many of each.")
        yield readers


def _require_names(path: Path, archive: zipfile.ZipFile, inputs: Sequence[InputPort]) -> None:
    held = [name.removesuffix(".npy") for name in archive.namelist()]
    wanted = [port.name for port in inputs]
    missing, strange = sorted(set(wanted) - set(held)), sorted(set(held) - set(wanted))
    if missing or strange or len(set(held)) < len(held):
        what = f"has no array {missing[0]!r}" if missing else f"has an array {(strange or held)[0]!r} too many"
        raise DataError(
            f"{path} {what}; it holds {', '.join(held) or 'nothing'}.",
            f"Name one array after each input of the model: {', '.join(wanted)}.",
        )


def _reader(path: Path, archive: zipfile.ZipFile, port: InputPort) -> ArrayReader:
    try:
        with archive.open(f"{port.name}.npy") as stream:
            shape, fortran, dtype = array_header(stream)
    except BROKEN as error:
        raise _damaged(path, port.name, error) from error
    wanted = "uint8" if port.normalization is not None else "float32"
    if dtype != np.dtype(wanted) or shape[1:] != port.shape or not shape:
        raise DataError(
            f"{path}: {port.name!r} is {dtype}{list(shape)}.",
            f"The model takes {wanted}[samples{''.join(f', {side}' for side in port.shape)}].",
        )
    if fortran and len(shape) > 1:
        raise DataError(
            f"{path}: {port.name!r} stands in Fortran's order.", "Save numpy.ascontiguousarray(array) in its place."
        )
    return ArrayReader(path, archive, port.name, shape[0], port.shape, wanted)


def array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; the stream then stands at the first value."""
    version = npy.read_magic(stream)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"an array of the version {version}")
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _damaged(path: Path, name: str, error: Exception) -> DataError:
    return DataError(f"{path}: the array {name!r} cannot be read: {error}.", "Write the file again.")
