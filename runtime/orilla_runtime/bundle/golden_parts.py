"""What every self-test is made of: arrays and a picture out of a bundle, and the comparison of what was found."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import decode_array
from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.reader import Bundle
from orilla_runtime.preprocess import Preprocess, Preprocessor

PICTURE_TOLERANCE = 2
"""Levels of 255. Resizing differs between OpenCV's builds (SIMD, IPP) in the last bit of each of its steps."""

_MAX_PIXELS = 2**26
_PNG_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """One comparison of the self-test.

    `subject`: an artifact's path, or `preprocess`. `error`: the largest absolute difference (levels of 255 for
    `preprocess`), None where there was nothing to compare: then `detail` says why.
    """

    subject: str
    passed: bool
    error: float | None
    tolerance: float
    detail: str


def pixels_of(preprocess: Preprocess) -> Preprocess:
    """The same picture before any scaling: uint8 NHWC."""
    return replace(preprocess, dtype="uint8", layout="NHWC", scale=(1.0,), offset=(0.0,))


def input_tensor(preprocess: Preprocess, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """The input tensor of a picture that already has the tensor's size and colour order."""
    if preprocess.is_raw:
        return pixels[np.newaxis]
    # Preprocess itself scales it: nothing is left to resize, and grey from three equal channels is that channel.
    bgr = pixels if preprocess.channels == "bgr" else np.repeat(pixels, 3 // preprocess.depth, axis=2)[:, :, ::-1]
    return replace(preprocess, fit="stretch")(np.ascontiguousarray(bgr))


def check_picture(bundle: Bundle, preprocess: Preprocess, picture: str, tensor: str, tolerance: int) -> GoldenCheck:
    """Preprocess on the full-size picture."""
    pixels = pixels_of(preprocess)
    expected = read_array(bundle, tensor, np.uint8, pixels.shape)
    found = Preprocessor(pixels)(_read_png(bundle, picture))
    return compare("preprocess", [found], expected, float(tolerance))


def compare(subject: str, found: Sequence[NDArray[Any]], expected: NDArray[Any], tolerance: float) -> GoldenCheck:
    """Row by row; a batch of one around a row makes no difference."""
    error = 0.0
    for row, wanted in zip(found, expected, strict=True):
        if row.size != wanted.size:
            detail = f"{list(row.shape)} where {list(wanted.shape)} was expected"
            return GoldenCheck(subject, False, None, tolerance, detail)
        # In doubles: uint8 would wrap, and float32 would round the difference.
        difference = np.abs(row.astype(np.float64).reshape(-1) - wanted.astype(np.float64).reshape(-1))
        if not np.isfinite(difference).all():
            return GoldenCheck(subject, False, None, tolerance, "the outputs are not finite numbers")
        error = max(error, float(difference.max(initial=0.0)))
    detail = f"differs by {error:.4g}, {tolerance:.4g} is allowed"
    return GoldenCheck(subject, error <= tolerance, error, tolerance, detail)


def read_array(bundle: Bundle, path: str, dtype: type[np.generic], shape: tuple[Any, ...]) -> NDArray[Any]:
    """An array of that dtype and shape; None stands for any length but 0, a last `...` for any sides."""
    where = f"{bundle.path}: {path}"
    array = decode_array(bundle.read(path), where)
    open_end = shape[-1] is ...
    sides = shape[:-1] if open_end else shape
    fits = array.ndim >= len(sides) if open_end else array.ndim == len(sides)
    fits = fits and all(
        seen == side or (side is None and seen > 0) for seen, side in zip(array.shape, sides, strict=False)
    )
    if not fits or array.dtype != dtype:
        wanted = ["any" if side is None else side for side in sides]
        what = f"{array.dtype}{list(array.shape)} where {np.dtype(dtype)}{wanted} was expected"
        raise refusal(where, "wrong-tensor", what)
    return array


def _read_png(bundle: Bundle, path: str) -> NDArray[np.uint8]:
    where = f"{bundle.path}: {path}"
    data = bundle.read(path)
    # The size is looked at before OpenCV makes room for it.
    if len(data) < len(_PNG_HEAD) + 8 or not data.startswith(_PNG_HEAD):
        raise refusal(where, "wrong-picture", "this is not a PNG file")
    columns, rows = struct.unpack_from(">II", data, len(_PNG_HEAD))
    if not 0 < columns * rows <= _MAX_PIXELS:
        raise refusal(where, "wrong-picture", f"{columns}x{rows} pixels are not possible here")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise refusal(where, "wrong-picture", "the picture cannot be decoded")
    return image.astype(np.uint8, copy=False)
