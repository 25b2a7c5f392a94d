"""Arrays as .npy files, version 1.0: little-endian, C order, no pickle; nothing but what the writer emits is read."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.faults import refusal

DTYPES = ("|u1", "|i1", "<i4", "<f2", "<f4")
_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNMENT = 64
_MAX_RANK = 8
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z][0-9])', 'fortran_order': False, 'shape': \(((?:[0-9]{1,10},? ?){0,8})\), \} *\n\Z"
)


def encode_array(array: NDArray[Any]) -> bytes:
    """The bytes of a .npy file that `numpy.load` reads too.

    Raises:
        BundleError: fault `wrong-tensor`: a dtype other than uint8, int8, int32, float16 and float32, or too many
            dimensions.
    """
    little = np.ascontiguousarray(array).reshape(np.shape(array))
    little = little.astype(little.dtype.newbyteorder("<"), copy=False)
    if little.dtype.str not in DTYPES or little.ndim > _MAX_RANK:
        raise refusal("array", "wrong-tensor", f"{little.dtype}{list(little.shape)} cannot be part of a bundle", "")
    return _header(little.dtype.str, little.shape) + little.tobytes()


def decode_array(data: bytes, where: str) -> NDArray[Any]:
    """The array that `encode_array` made these bytes of, read-only.

    Raises:
        BundleError: fault `wrong-tensor`: anything else.
    """
    if len(data) < len(_MAGIC) + 2 or not data.startswith(_MAGIC):
        raise refusal(where, "wrong-tensor", "this is not an array (.npy, version 1.0)")
    start = len(_MAGIC) + 2
    end = start + struct.unpack_from("<H", data, len(_MAGIC))[0]
    match = _HEADER.match(data[start:end])
    if match is None:
        raise refusal(where, "wrong-tensor", "the array's header is not one that Orilla writes")
    descr = match[1].decode("ascii")
    shape = tuple(int(side) for side in re.findall(rb"[0-9]+", match[2]))
    if descr not in DTYPES or _header(descr, shape) != data[:end]:
        raise refusal(where, "wrong-tensor", "the array's header is not one that Orilla writes")
    dtype = np.dtype(descr)
    if math.prod(shape) * dtype.itemsize != len(data) - end:
        raise refusal(where, "wrong-tensor", f"the array does not have the bytes of {dtype}{list(shape)}")
    return np.frombuffer(data, dtype, offset=end).reshape(shape)


def _header(descr: str, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    fixed = len(_MAGIC) + 2
    length = -(-(fixed + len(text) + 1) // _ALIGNMENT) * _ALIGNMENT - fixed
    return _MAGIC + struct.pack("<H", length) + text.ljust(length - 1).encode("ascii") + b"\n"
