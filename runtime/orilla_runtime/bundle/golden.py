"""The self-test that travels with a bundle: does this machine compute what the maker's machine computed?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import decode_array, encode_array
from orilla_runtime.bundle.golden_parts import (
    PICTURE_TOLERANCE,
    GoldenCheck,
    check_picture,
    compare,
    input_tensor,
    pixels_of,
    read_array,
)
from orilla_runtime.bundle.manifest import Artifact, Golden, GoldenOutput, Manifest
from orilla_runtime.bundle.raw_golden import raw_self_test
from orilla_runtime.bundle.raw_manifest import AnyArtifact, RawManifest
from orilla_runtime.bundle.reader import Bundle
from orilla_runtime.engines.base import Session
from orilla_runtime.errors import OrillaError, UsageError
from orilla_runtime.preprocess import Preprocess, Preprocessor

__all__ = ["GoldenCheck", "build_golden", "decode_array", "encode_array", "input_tensor", "self_test"]


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
    tensor = Preprocessor(pixels_of(preprocess))(picture)
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
    open_session: Callable[[AnyArtifact, bytes], Session],
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
    if isinstance(bundle.manifest, RawManifest):
        return raw_self_test(bundle, bundle.manifest, open_session, only)
    golden = bundle.manifest.golden
    return () if golden is None else _self_test(bundle, bundle.manifest, golden, open_session, only)


def _self_test(
    bundle: Bundle,
    manifest: Manifest,
    golden: Golden,
    open_session: Callable[[Artifact, bytes], Session],
    only: Collection[str] | None,
) -> tuple[GoldenCheck, ...]:
    preprocess = manifest.preprocess
    checks = [check_picture(bundle, preprocess, golden.picture, golden.tensor, golden.picture_tolerance)]
    inputs = read_array(bundle, golden.inputs, np.uint8, (None, *pixels_of(preprocess).shape[1:]))
    tensors = [input_tensor(preprocess, pixels) for pixels in inputs]
    stored = {output.artifact: output for output in golden.outputs}
    for artifact in manifest.artifacts:
        if only is not None and artifact.path not in only:
            continue
        output = stored[artifact.path]
        expected = read_array(bundle, output.path, np.float32, (len(inputs), ...))
        data = bundle.read(artifact.path)
        try:
            session = open_session(artifact, data)
            try:
                found = [_run(session, tensor) for tensor in tensors]
            finally:
                session.close()
            checks.append(compare(artifact.path, found, expected, output.tolerance))
        except OrillaError as error:
            checks.append(GoldenCheck(artifact.path, False, None, output.tolerance, error.message))
    return tuple(checks)


def _run(session: Session, tensor: NDArray[Any]) -> NDArray[np.float32]:
    outputs = session.run(tensor)
    return session.outputs[0].real(outputs[0]).copy()


def _require_inputs(inputs: NDArray[np.uint8], preprocess: Preprocess) -> None:
    sides = pixels_of(preprocess).shape[1:]
    if inputs.dtype != np.uint8 or inputs.ndim != 4 or not len(inputs) or inputs.shape[1:] != sides:
        raise UsageError(
            f"Golden inputs are uint8 [n, {', '.join(map(str, sides))}], not {inputs.dtype}{list(inputs.shape)}."
        )
