"""CIFAR-10 as its authors publish it: pickles of Python 2, from which only numbers are taken.

A pickle can run code. Here every instruction is checked before anything is loaded, and the three names that the real
files use are stood in for by records that do nothing.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.data.sets.archives import members
from orilla.data.sets.unpacking import Picture, folder_name
from orilla_runtime.errors import DataError

BATCHES = {**{f"data_batch_{number}": "train" for number in range(1, 6)}, "test_batch": "test"}
SIDE = 32

_BYTES = 3 * SIDE * SIDE
_MAX_MEMO = 2**18
_OPCODES = frozenset(
    {"PROTO", "STOP", "GLOBAL", "REDUCE", "BUILD", "MARK", "NONE", "NEWTRUE", "NEWFALSE"}
    | {"BININT", "BININT1", "BININT2", "LONG1", "SHORT_BINSTRING", "BINSTRING"}
    | {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"}
    | {"EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
)


def cifar_pictures(source: Path, names: Sequence[str]) -> Iterator[Picture]:
    """Each picture of `cifar-10-python.tar.gz`, or of the folder that it unpacks to, as PNG; a batch is in memory.

    Raises:
        DataError: while iterating: a damaged file, or a batch that holds anything but pictures and their classes.
    """
    found = False
    for member in members(source):
        batch = PurePosixPath(member.name).name
        if batch not in BATCHES:
            continue
        found = True
        where = f"{source}: {member.name}"
        for place, (image, class_id) in enumerate(_examples(where, member.read())):
            if class_id >= len(names):
                raise DataError(f"{where} holds class {class_id}; there are {len(names)}.", "Is it CIFAR-10?")
            label = names[class_id]
            path = f"{BATCHES[batch]}/{folder_name(label)}/{batch}-{place:04}.png"
            pixels = cv2.cvtColor(image.transpose(1, 2, 0), cv2.COLOR_RGB2BGR)
            content = cv2.imencode(".png", pixels)[1].tobytes()
            yield Picture(path, content, label, {"split": BATCHES[batch]})
    if not found:
        raise DataError(f"{source} holds no data_batch_1 to 5 and no test_batch.", "Give cifar-10-python.tar.gz.")


def _examples(where: str, data: bytes) -> Iterator[tuple[NDArray[np.uint8], int]]:
    try:
        pixels, labels = _batch(data)
    except Exception as error:  # a damaged pickle can raise anything
        said = error if isinstance(error, _RefusedError) else f"it is damaged ({type(error).__name__})"
        raise DataError(f"{where} is refused: {said}.", "Get the file again.") from None
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 3, SIDE, SIDE)
    yield from zip(images, labels, strict=True)


class _RefusedError(Exception):
    """What is wrong with a batch."""


def _batch(data: bytes) -> tuple[bytes, list[int]]:
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _OPCODES:
            raise _RefusedError(f"it holds the pickle instruction {opcode.name}")
        if opcode.name.endswith("BINPUT") and isinstance(argument, int) and argument > _MAX_MEMO:
            raise _RefusedError("its memo is too large")
    table = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    array, labels = table[b"data"], table[b"labels"]
    if not isinstance(array, _Array) or not isinstance(labels, list) or any(type(label) is not int for label in labels):
        raise _RefusedError("it holds no array of pictures and no list of classes")
    if array.values is None or len(array.values) != len(labels) * _BYTES or min(labels, default=0) < 0:
        raise _RefusedError("its pictures and its classes do not fit each other")
    return array.values, labels


class _Array:
    """Stands in for `numpy.ndarray`; keeps its bytes."""

    values: bytes | None = None

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), (int(), int(size)), _Type(name=b"u1"), False, bytes(values)) if size == _BYTES:
                self.values = values
            case _:
                raise _RefusedError("its pictures are no bytes of 32x32 pixels")


class _Type:
    """Stands in for `numpy.dtype`; keeps its name."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name

    def __setstate__(self, _state: Any) -> None:
        """Byte order and the like mean nothing for bytes."""


class _Unpickler(pickle.Unpickler):
    """Knows the three names that an array of Python 2 needs."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return lambda *_: _Array()
        if module == "numpy" and name in ("ndarray", "dtype"):
            return _Type if name == "dtype" else _Array
        raise _RefusedError(f"it asks for {module}.{name}")
