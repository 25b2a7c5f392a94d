"""Reads the weights of a legacy `torch.save` file without torch, by a loader that can only make tensors.

Such a file is a pickle, and a pickle can run code. Here every opcode is checked before anything is loaded, the only
names that may be called are those that make tensors, and what they make are plain records of numbers.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_FILE_BYTES = 256 * 2**20
MAX_PICKLE_BYTES = 2 * 2**20
MAX_MEMO = 2**16
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 8

_OPCODES = frozenset(
    {"PROTO", "STOP", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "MARK", "NONE", "NEWTRUE", "NEWFALSE"}
    | {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
    | {"EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
    | {"BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
)
_REBUILD = ("torch._utils", "_rebuild_tensor_v2")
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True, slots=True)
class _Storage:
    """A run of numbers that stands behind the pickles."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A part of a storage in one piece; `order` names its axes from the outermost to the innermost."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]

    def of(self, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        flat = storages[self.storage.key][self.offset : self.offset + math.prod(self.shape)]
        stored = flat.reshape([self.shape[axis] for axis in self.order])
        return np.ascontiguousarray(stored.transpose(np.argsort(self.order)))


class _RefusedError(Exception):
    """What is wrong with the file; becomes a DataError that names it."""


def read_torch_weights(path: str | Path, *, sha256: str | None = None) -> dict[str, NDArray[Any]]:
    """The tensors of a legacy `torch.save` state dict, by name, in the file's order.

    Args:
        path: the file.
        sha256: its digest in lower-case hexadecimal digits, where it is known; nothing is parsed if it differs.

    Raises:
        DataError: no such file, too big, another digest, damaged, or anything in it that is not a tensor.
    """
    file = Path(path)
    try:
        return _parse(_read(file, sha256))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}.", "Check the path of the weights.") from error
    except _RefusedError as error:
        raise DataError(f"{file}: refused as weights: {error}.", "Install the weights again.") from None


def _read(file: Path, sha256: str | None) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _RefusedError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise _RefusedError("it is not the file that was published: its sha256 differs")
    return data


def _parse(data: bytes) -> dict[str, NDArray[Any]]:
    stream = io.BytesIO(data)
    if _load(stream) != MAGIC or _load(stream) != PROTOCOL:
        raise _RefusedError("it does not begin as a legacy torch file")
    system = _load(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _RefusedError("its numbers are not little-endian")
    tensors = _load(stream)
    if not isinstance(tensors, OrderedDict) or len(tensors) > MAX_TENSORS:
        raise _RefusedError("it holds no table of tensors")
    if not all(isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in tensors.items()):
        raise _RefusedError("its table holds something that is not a tensor")
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if any(wanted[tensor.storage.key] != tensor.storage for tensor in tensors.values()):
        raise _RefusedError("two tensors describe the same storage differently")
    storages = _read_storages(stream, _load(stream), wanted)
    return {name: tensor.of(storages) for name, tensor in tensors.items()}


def _load(stream: io.BytesIO) -> Any:
    """The next pickle of the stream."""
    start = stream.tell()
    try:
        _check_opcodes(stream)
        end = stream.tell()
        stream.seek(start)
        return _Unpickler(io.BytesIO(stream.read(end - start))).load()
    except _RefusedError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise _RefusedError(f"it is damaged ({type(error).__name__})") from None


def _check_opcodes(stream: io.BytesIO) -> None:
    """Walk one pickle without executing it; a memo index could otherwise claim gigabytes before it fails."""
    start = stream.tell()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name not in _OPCODES:
            raise _RefusedError(f"it holds the pickle instruction {opcode.name}")
        if opcode.name.endswith("BINPUT") and isinstance(argument, int) and argument > MAX_MEMO:
            raise _RefusedError("its memo is too large")
        if stream.tell() - start > MAX_PICKLE_BYTES:
            raise _RefusedError("its table is too large")


class _Unpickler(pickle.Unpickler):
    """Knows three kinds of names; each load gets its own functions, so that a file cannot alter ours."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == _REBUILD:
            return _tensor_maker()
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise _RefusedError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(count), None) if dtype in _DTYPES.values() and count >= 0:
                return _Storage(key, dtype, count)
        raise _RefusedError("it names a storage in an unknown way")


def _tensor_maker() -> Callable[..., _Tensor]:
    def make(storage: Any, offset: Any, shape: Any, strides: Any, *_hooks: Any) -> _Tensor:
        numbers = (offset, *shape, *strides)
        if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise _RefusedError("a tensor is described in an unknown way")
        order = _order(shape, strides) if len(shape) == len(strides) <= MAX_DIMENSIONS else None
        if order is None:
            raise _RefusedError("a tensor does not lie in one piece")
        if offset + math.prod(shape) > storage.count:
            raise _RefusedError("a tensor reaches beyond its storage")
        return _Tensor(storage, offset, tuple(shape), order)

    return make


def _order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes from the outermost to the innermost as they lie in the storage; None where they leave gaps or overlap.

    The stride of a side of one means nothing and may be anything.
    """
    axes = sorted(range(len(shape)), key=lambda axis: (shape[axis] != 1, -strides[axis]))
    for place, axis in enumerate(axes):
        if shape[axis] != 1 and strides[axis] != math.prod(shape[inner] for inner in axes[place + 1 :]):
            return None
    return tuple(axes)


def _read_storages(stream: io.BytesIO, keys: Any, wanted: Mapping[str, _Storage]) -> dict[str, NDArray[Any]]:
    """The raw numbers after the pickles: for each key a count and its values, and nothing behind them."""
    if not isinstance(keys, list) or len(keys) != len(wanted) or set(map(str, keys)) != set(wanted):
        raise _RefusedError("its list of storages does not fit its tensors")
    storages = {}
    for key in map(str, keys):
        storage = wanted[key]
        if int.from_bytes(stream.read(8), "little") != storage.count:
            raise _RefusedError(f"storage {key[:40]} has another size than its tensors say")
        raw = stream.read(storage.count * np.dtype(storage.dtype).itemsize)
        if len(raw) != storage.count * np.dtype(storage.dtype).itemsize:
            raise _RefusedError("it is cut short")
        storages[key] = np.frombuffer(raw, storage.dtype)
    if stream.read(1):
        raise _RefusedError("bytes follow its last number")
    return storages
