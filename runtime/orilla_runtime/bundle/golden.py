"""The self-test that travels with a bundle: does this machine compute what the maker's machine computed?"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import decode_array, encode_array
from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.manifest import Artifact, Golden, GoldenOutput
from orilla_runtime.bundle.reader import Bundle
from orilla_runtime.engines.base import Session
from orilla_runtime.errors import OrillaError, UsageError
from orilla_runtime.preprocess import Preprocess, Preprocessor

__all__ = ["GoldenCheck", "build_golden", "decode_array", "encode_array", "input_tensor", "self_test"]

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


def build_golden(
    *,
    preprocess: Preprocess,
    inputs: NDArray[np.uint8],
    outputs: Mapping[str, tuple[NDArray[np.float32], float]],
    picture: NDArray[np.uint8],
    kind: str,
    picture_tolerance: int = PICTURE_TOLERANCE,
) -> tuple[Golden, dict[str, bytes]]:
    """The manifest's `golden` and its entries, ready for `write_bundle`.

    Args:
        preprocess: the bundle's; it makes the tensor of `picture`.
        inputs: uint8 [n, height, width, depth], n >= 1, in the tensor's size and colour order, before any scaling.
        outputs: for each artifact's path its outputs for `inputs`, run one by one: real numbers [n, …], and how far
            another kernel may be from them.
        picture: uint8 BGR, height x width x 3, full size; it is stored as PNG.
        kind: `real`, or `drawn` where no real picture may leave the house.

    Raises:
        UsageError: arrays that do not have these shapes and types, or outputs that are not finite.
    """
    _require_inputs(inputs, preprocess)
    stored, entries = [], {"golden/inputs.npy": encode_array(inputs)}
    for number, path in enumerate(sorted(outputs)):
        array, tolerance = outputs[path]
        array = np.asarray(array, np.float32)
        if array.ndim < 1 or len(array) != len(inputs) or not np.isfinite(array).all():
            raise UsageError(f"The golden outputs of {path} are not {len(inputs)} rows of finite numbers.")
        # Numbered, not named: two artifacts may share a stem.
        name = f"golden/outputs-{number}.npy"
        entries[name] = encode_array(array)
        stored.append(GoldenOutput(path, name, float(tolerance)))
    tensor = Preprocessor(_pixels(preprocess))(picture)
    entries["golden/tensor.npy"] = encode_array(tensor)
    entries["golden/picture.png"] = cv2.imencode(".png", picture)[1].tobytes()
    golden = Golden(
        kind=kind,
        inputs="golden/inputs.npy",
        outputs=tuple(stored),
        picture="golden/picture.png",
        tensor="golden/tensor.npy",
        picture_tolerance=picture_tolerance,
    )
    return golden, entries


def self_test(
    bundle: Bundle,
    open_session: Callable[[Artifact, bytes], Session],
    *,
    only: Collection[str] | None = None,
) -> tuple[GoldenCheck, ...]:
    """Run the golden picture and the golden inputs here; without golden data there are no checks.

    Args:
        open_session: opens an artifact's bytes in the engine that is to be tested.
        only: paths of the artifacts to run, all if None; leave out formats that have no engine here.

    Raises:
        BundleError: the golden data are damaged, or arrays of other shapes than the manifest's.

    An engine that refuses an artifact is a check that failed, not an error.
    """
    golden = bundle.manifest.golden
    if golden is None:
        return ()
    preprocess = bundle.manifest.preprocess
    checks = [_check_preprocess(bundle, golden)]
    inputs = _read(bundle, golden.inputs, np.uint8, (None, *_pixels(preprocess).shape[1:]))
    tensors = [input_tensor(preprocess, pixels) for pixels in inputs]
    stored = {output.artifact: output for output in golden.outputs}
    for artifact in bundle.manifest.artifacts:
        if only is not None and artifact.path not in only:
            continue
        output = stored[artifact.path]
        expected = _read(bundle, output.path, np.float32, (len(inputs), ...))
        data = bundle.read(artifact.path)
        try:
            session = open_session(artifact, data)
            try:
                found = [_run(session, tensor) for tensor in tensors]
            finally:
                session.close()
            checks.append(_compare(artifact.path, found, expected, output.tolerance))
        except OrillaError as error:
            checks.append(GoldenCheck(artifact.path, False, None, output.tolerance, error.message))
    return tuple(checks)


def _pixels(preprocess: Preprocess) -> Preprocess:
    """The same picture before any scaling: uint8 NHWC."""
    return replace(preprocess, dtype="uint8", layout="NHWC", scale=(1.0,), offset=(0.0,))


def input_tensor(preprocess: Preprocess, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """The input tensor of a picture that already has the tensor's size and colour order."""
    if preprocess.is_raw:
        return pixels[np.newaxis]
    # Preprocess itself scales it: nothing is left to resize, and grey from three equal channels is that channel.
    bgr = pixels if preprocess.channels == "bgr" else np.repeat(pixels, 3 // preprocess.depth, axis=2)[:, :, ::-1]
    return replace(preprocess, fit="stretch")(np.ascontiguousarray(bgr))


def _run(session: Session, tensor: NDArray[Any]) -> NDArray[np.float32]:
    outputs = session.run(tensor)
    return session.outputs[0].real(outputs[0]).copy()


def _check_preprocess(bundle: Bundle, golden: Golden) -> GoldenCheck:
    """Preprocess on the full-size picture."""
    pixels = _pixels(bundle.manifest.preprocess)
    expected = _read(bundle, golden.tensor, np.uint8, pixels.shape)
    found = Preprocessor(pixels)(_read_png(bundle, golden.picture))
    return _compare("preprocess", [found], expected, float(golden.picture_tolerance))


def _compare(subject: str, found: list[NDArray[Any]], expected: NDArray[Any], tolerance: float) -> GoldenCheck:
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


def _read(bundle: Bundle, path: str, dtype: type[np.generic], shape: tuple[Any, ...]) -> NDArray[Any]:
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


def _require_inputs(inputs: NDArray[np.uint8], preprocess: Preprocess) -> None:
    sides = _pixels(preprocess).shape[1:]
    if inputs.dtype != np.uint8 or inputs.ndim != 4 or not len(inputs) or inputs.shape[1:] != sides:
        raise UsageError(
            f"Golden inputs are uint8 [n, {', '.join(map(str, sides))}], not {inputs.dtype}{list(inputs.shape)}."
        )
