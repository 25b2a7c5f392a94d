"""The arrays of an `.npz` file: their headers are judged before anything is read, and large ones are read in pieces."""

from __future__ import annotations

import math
import tokenize
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from orilla_converters.raw.arrays import BROKEN, ArrayReader, array_header
from orilla_runtime.errors import DataError

SMALL_BYTES = 256 * 2**20
"""The largest array that is read whole: labels, names and offsets."""

_BOMB_BYTES, _BOMB_RATIO = 2**28, 200
_UNREADABLE = (*BROKEN, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OverflowError, TypeError)
_REMEDY = "Write it with numpy.savez_compressed(PATH, images=…, labels=…)."


@dataclass(frozen=True, slots=True)
class StoredArray:
    """One array of the file, not read yet."""

    file: Path
    archive: zipfile.ZipFile
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.file}: {self.name!r} is {self.dtype}{list(self.shape)}"

    def rows(self) -> Iterator[NDArray[Any]]:
        """Each array[i], one at a time.

        Raises:
            DataError: while iterating: the file is cut or damaged.
        """
        return iter(ArrayReader(self.file, self.archive, self.name, self.shape[0], self.shape[1:], self.dtype.str))

    def pieces(self, ends: NDArray[np.int64]) -> Iterator[bytes]:
        """Of bytes: what stands before each of the growing `ends`, from the end before it.

        Raises:
            DataError: while iterating: the file is cut or damaged.
        """
        begin = 0
        try:
            with self.archive.open(f"{self.name}.npy") as stream:
                array_header(stream)
                for end in ends.tolist():
                    yield _exactly(stream.read(end - begin), end - begin)
                    begin = end
        except _UNREADABLE as error:
            raise _damaged(self.file, self.name, error) from error

    def whole(self) -> NDArray[Any]:
        """The array.

        Raises:
            DataError: it is too large for what it should be, or damaged.
        """
        if math.prod(self.shape) * self.dtype.itemsize > SMALL_BYTES:
            raise DataError(f"{self}, which is too large for labels.", _REMEDY)
        try:
            with self.archive.open(f"{self.name}.npy") as stream:
                return np.asarray(npy.read_array(stream, allow_pickle=False))
        except _UNREADABLE as error:
            raise _damaged(self.file, self.name, error) from error


@contextmanager
def open_npz(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file by their names; only the headers are read.

    Raises:
        DataError: no such file, no `.npz`, or an array whose header is damaged, whose values are objects, that stands
            in Fortran's order, that is not as long as its header says, or that would unpack to an absurd size.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.", _REMEDY) from None
    except _UNREADABLE as error:
        raise DataError(f"{path} is no .npz file: {error}.", _REMEDY) from error
    with archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        arrays = {info.filename.removesuffix(".npy"): _stored(path, archive, info) for info in members}
        if len(arrays) < len(members):
            raise DataError(f"{path} holds an array twice.", _REMEDY)
        yield arrays


def _stored(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    name = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as stream:
            shape, fortran, dtype = array_header(stream)
            begin = stream.tell()
    except _UNREADABLE as error:
        raise _damaged(path, name, error) from error
    array = StoredArray(path, archive, name, shape, dtype)
    if dtype.hasobject:
        raise DataError(f"{path}: {name!r} holds Python objects, which could run code.", "Save numbers or texts.")
    if fortran and len(shape) > 1:
        raise DataError(f"{array} in Fortran's order.", "Save numpy.ascontiguousarray(array) in its place.")
    if min(shape, default=0) < 0 or begin + math.prod(shape) * dtype.itemsize != info.file_size:
        raise _damaged(path, name, ValueError("it is not as long as its header says"))
    if info.file_size > _BOMB_BYTES and info.file_size > _BOMB_RATIO * max(info.compress_size, 1):
        said = f"{info.compress_size:,} bytes that unpack to {info.file_size:,}"
        raise DataError(f"{path}: {name!r} is {said}: no real pictures are so alike.", "Check where the file is from.")
    return array


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise EOFError("it is cut")
    return data


def _damaged(path: Path, name: str, error: BaseException) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(f"{path}: the array {name!r} cannot be read: {reason}.", "Write the file again.")
