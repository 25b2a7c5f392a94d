"""The self-test of a raw bundle: several inputs, several outputs, and a picture where one is all that it takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import encode_array
from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.golden_parts import (
    PICTURE_TOLERANCE,
    GoldenCheck,
    check_picture,
    compare,
    input_tensor,
    pixels_of,
    read_array,
)
from orilla_runtime.bundle.raw_manifest import (
    GoldenInput,
    GoldenPicture,
    RawArtifact,
    RawGolden,
    RawGoldenOutput,
    RawManifest,
)
from orilla_runtime.bundle.reader import Bundle
from orilla_runtime.engines.base import Session
from orilla_runtime.errors import OrillaError, UsageError
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.tensors import TensorSpec

Outputs = Mapping[str, tuple[NDArray[np.float32], float]]
"""For each output its rows for the golden inputs, float32 [n, …], and how far another kernel may be from them."""


def build_raw_golden(
    *,
    preprocess: Mapping[str, Preprocess],
    inputs: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, Outputs],
    picture: NDArray[np.uint8] | None,
    kind: str,
) -> tuple[RawGolden, dict[str, bytes]]:
    """The manifest's `golden` and its entries, ready for `write_bundle`.

    Args:
        preprocess: the bundle's, by input.
        inputs: for each input, in order, [n, …] with the same n >= 1: uint8 pixels before any scaling for a picture,
            else float32.
        outputs: for each artifact's path its outputs for `inputs`, run one by one, as real numbers.
        picture: uint8 BGR, height x width x 3, where one picture is all that the model takes; else None.
        kind: `real` or `drawn`.

    Raises:
        UsageError: arrays of other lengths, or that are not finite.
    """
    count = len(next(iter(inputs.values())))
    entries: dict[str, bytes] = {}
    taken = []
    for number, (name, array) in enumerate(inputs.items()):
        taken.append(GoldenInput(name, f"golden/inputs-{number}.npy"))
        entries[taken[-1].path] = encode_array(_rows(array, count, name))
    given: list[RawGoldenOutput] = []
    for path in sorted(outputs):
        for name, (array, tolerance) in outputs[path].items():
            given.append(RawGoldenOutput(path, name, f"golden/outputs-{len(given)}.npy", float(tolerance)))
            entries[given[-1].path] = encode_array(_rows(np.asarray(array, np.float32), count, f"{path}, {name}"))
    shown = None
    if picture is not None:
        (only,) = preprocess.values()
        shown = GoldenPicture("golden/picture.png", "golden/tensor.npy", PICTURE_TOLERANCE)
        entries[shown.tensor] = encode_array(Preprocessor(pixels_of(only))(picture))
        entries[shown.picture] = cv2.imencode(".png", picture)[1].tobytes()
    return RawGolden(kind, tuple(taken), tuple(given), shown), entries


def _rows(array: NDArray[Any], count: int, what: str) -> NDArray[Any]:
    if array.ndim < 1 or len(array) != count or not count or not np.isfinite(array).all():
        raise UsageError(f"The golden array of {what} is not {count} rows of finite numbers.")
    return array


def raw_self_test(
    bundle: Bundle,
    manifest: RawManifest,
    open_session: Callable[[RawArtifact, bytes], Session],
    only: Collection[str] | None,
) -> tuple[GoldenCheck, ...]:
    """As `golden.self_test`; there is a check for each output of each artifact."""
    golden, checks = manifest.golden, []
    if golden is None:
        return ()
    if golden.picture is not None and manifest.picture is not None:
        shown = golden.picture
        checks.append(check_picture(bundle, manifest.picture, shown.picture, shown.tensor, shown.tolerance))
    inputs = golden_inputs(bundle, manifest, golden)
    for artifact in manifest.artifacts:
        if only is None or artifact.path in only:
            checks += _check_artifact(bundle, manifest, golden, artifact, inputs, open_session)
    return tuple(checks)


def golden_inputs(bundle: Bundle, manifest: RawManifest, golden: RawGolden) -> tuple[NDArray[Any], ...]:
    """The rows of every input, in order.

    Raises:
        BundleError: arrays that are damaged, of other shapes than the manifest's, or of different lengths.
    """
    arrays: list[NDArray[Any]] = []
    for one, spec in zip(golden.inputs, manifest.artifacts[0].inputs, strict=True):
        picture = manifest.preprocess.get(one.name)
        sides: tuple[Any, ...] = spec.shape[1:] if picture is None else pixels_of(picture).shape[1:]
        rows = len(arrays[0]) if arrays else None
        array = read_array(bundle, one.path, np.float32 if picture is None else np.uint8, (rows, *sides))
        if not np.isfinite(array).all():
            raise refusal(f"{bundle.path}: {one.path}", "wrong-tensor", "it holds numbers that are not finite")
        arrays.append(array)
    return tuple(arrays)


def stored_inputs(
    manifest: RawManifest, specs: tuple[TensorSpec, ...], row: tuple[NDArray[Any], ...]
) -> tuple[NDArray[Any], ...]:
    """One row of the golden inputs as an artifact takes it, with a batch of one."""
    tensors = []
    for spec, values in zip(specs, row, strict=True):
        picture = manifest.preprocess.get(spec.name)
        tensors.append(spec.stored(values[np.newaxis]) if picture is None else input_tensor(picture, values))
    return tuple(tensors)


def _check_artifact(
    bundle: Bundle,
    manifest: RawManifest,
    golden: RawGolden,
    artifact: RawArtifact,
    inputs: tuple[NDArray[Any], ...],
    open_session: Callable[[RawArtifact, bytes], Session],
) -> list[GoldenCheck]:
    stored = {one.output: one for one in golden.outputs if one.artifact == artifact.path}
    count = len(inputs[0])
    expected = {name: read_array(bundle, one.path, np.float32, (count, ...)) for name, one in stored.items()}
    data = bundle.read(artifact.path)
    try:
        session = open_session(artifact, data)
        try:
            found = _outputs(session, manifest, artifact, inputs)
        finally:
            session.close()
    except OrillaError as error:
        return [GoldenCheck(artifact.path, False, None, max(o.tolerance for o in stored.values()), error.message)]
    return [compare(f"{artifact.path}, {name}", found[name], expected[name], stored[name].tolerance) for name in stored]


def _outputs(
    session: Session, manifest: RawManifest, artifact: RawArtifact, inputs: tuple[NDArray[Any], ...]
) -> dict[str, list[NDArray[np.float32]]]:
    """Each promised output, by its name, row by row as real numbers."""
    names = [spec.name for spec in session.outputs]
    if names != [spec.name for spec in artifact.outputs]:
        raise UsageError(f"it gives {', '.join(names)}, not what the manifest promises.")
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for row in zip(*inputs, strict=True):
        outputs = session.run(*stored_inputs(manifest, session.inputs, row))
        for spec, tensor in zip(session.outputs, outputs, strict=True):
            found[spec.name].append(spec.real(tensor).copy())
    return found
