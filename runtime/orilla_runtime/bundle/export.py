"""An artifact of a bundle as plain files, for an app that knows nothing of Orilla.

`model.tflite`, `model.onnx` or the folder `NAME/1` that TensorFlow Serving takes, `labels.txt` of a classifier,
`preprocess.json`, and where the bundle has a self-test `golden.json` with its arrays in `golden/`: raw little-endian
numbers, which every language can read.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.bundle.arrays import decode_array
from orilla_runtime.bundle.golden_parts import input_tensor
from orilla_runtime.bundle.manifest import Artifact, Golden, Manifest
from orilla_runtime.bundle.raw_golden import golden_inputs, stored_inputs
from orilla_runtime.bundle.raw_manifest import AnyArtifact, RawArtifact, RawGolden, RawManifest
from orilla_runtime.bundle.reader import Bundle
from orilla_runtime.errors import SinkError
from orilla_runtime.formats.files import SUFFIXES
from orilla_runtime.formats.packed_folder import unpacked
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import TensorSpec

SERVED, SERVED_VERSION = "savedmodel", 1
"""TensorFlow Serving takes `--model_base_path=…/NAME` and serves the highest number in it."""
GOLDEN_BYTES = 1 << 20
"""As many golden inputs as fit are exported, and always one."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The folder, the artifact that is in it, its files by name with their bytes, and how many golden inputs."""

    folder: Path
    artifact: str
    files: dict[str, int]
    golden: int


def export_artifact(bundle: Bundle, folder: str | Path, artifact: str | None = None) -> Exported:
    """Write one artifact with labels, preprocessing and golden data; the folder is there whole or not at all.

    Args:
        bundle: it stays open.
        folder: a new one, or an empty one.
        artifact: a path, a file name or `format:precision`; by default the bundle's default, TFLite first.

    Raises:
        UsageError: no such artifact.
        BundleError: the bundle is damaged.
        SinkError: the folder is not empty, or cannot be written.
    """
    chosen = _chosen(bundle, artifact)
    files = dict(_files(bundle, chosen))
    folder = Path(folder)
    with _whole(folder) as part:
        for name, content in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(content)
    inputs = sum(name.startswith("golden/input") for name in files) // len(chosen.inputs)
    return Exported(folder, chosen.path, {name: len(content) for name, content in files.items()}, inputs)


def _chosen(bundle: Bundle, artifact: str | None) -> AnyArtifact:
    if artifact is not None:
        return bundle.artifact(artifact)
    defaults = bundle.manifest.defaults
    targets = sorted(defaults, key=lambda target: ("tflite", "onnx", target).index(target))
    return bundle.artifact(defaults[targets[0]]) if targets else bundle.manifest.artifacts[0]


def _files(bundle: Bundle, artifact: AnyArtifact) -> Iterator[tuple[str, bytes]]:
    manifest, data = bundle.manifest, bundle.read(artifact.path)
    if artifact.format == SERVED:
        model = f"{_served_as(manifest.name)}/{SERVED_VERSION}"
        yield from ((f"{model}/{path}", content) for path, content in unpacked(data, artifact.path).items())
    else:
        suffix = f".{artifact.format}"
        model = f"model{suffix if suffix in SUFFIXES else Path(artifact.path).suffix}"
        yield model, data
    head = {"model": model, "bundle": bundle.id, "artifact": artifact.path}
    if isinstance(manifest, RawManifest):
        assert isinstance(artifact, RawArtifact)
        yield from _of_raw(bundle, manifest, artifact, head)
    else:
        assert isinstance(artifact, Artifact)
        yield from _of_classifier(bundle, manifest, artifact, head)


def _served_as(name: str) -> str:
    """The bundle's name where it can be that of a folder and stand in a server's address, else `model`."""
    return name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) else "model"


def _of_classifier(
    bundle: Bundle, manifest: Manifest, artifact: Artifact, head: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """What an app has to know; `scale` and `offset` are as `Preprocess` has them: stored = pixel * scale + offset."""
    task = manifest.task
    yield "labels.txt", "".join(f"{' '.join(label.split())}\n" for label in task.labels).encode()
    meaning = {
        "task": task.name,
        "output": task.output,
        "temperature": task.temperature,
        "labels": list(task.labels),
    }
    yield "preprocess.json", _json({**head, **asdict(manifest.preprocess), **_tensors(artifact), **meaning})
    if manifest.golden is not None:
        yield from _golden(bundle, manifest.preprocess, manifest.golden, artifact)


def _of_raw(
    bundle: Bundle, manifest: RawManifest, artifact: RawArtifact, head: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """`preprocess` holds, by its name, each input that is a picture."""
    pictures = {name: asdict(preprocess) for name, preprocess in manifest.preprocess.items()}
    tensors = _tensors(artifact)
    yield "preprocess.json", _json({**head, "preprocess": pictures, **tensors, "task": manifest.task.name})
    if manifest.golden is not None:
        yield from _raw_golden(bundle, manifest, manifest.golden, artifact)


def _tensors(artifact: AnyArtifact) -> dict[str, Any]:
    return {
        "inputs": [_tensor(spec) for spec in artifact.inputs],
        "outputs": [_tensor(spec) for spec in artifact.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {**asdict(spec), "shape": [side or 1 for side in spec.shape]}


def _golden(bundle: Bundle, preprocess: Preprocess, golden: Golden, artifact: Artifact) -> Iterator[tuple[str, bytes]]:
    inputs = decode_array(bundle.read(golden.inputs), golden.inputs)
    stored = next(output for output in golden.outputs if output.artifact == artifact.path)
    outputs = decode_array(bundle.read(stored.path), stored.path)
    cases: list[dict[str, Any]] = []
    left = GOLDEN_BYTES
    for number, (pixels, output) in enumerate(zip(inputs, outputs, strict=True)):
        content = _raw(input_tensor(preprocess, pixels))
        left -= len(content)
        if cases and left < 0:
            break
        name = f"golden/input-{number}.bin"
        yield name, content
        cases.append({"input": name, "output": _numbers(output)})
    tensor = decode_array(bundle.read(golden.tensor), golden.tensor)
    yield "golden/picture.png", bundle.read(golden.picture)
    yield "golden/picture.bin", _raw(tensor)
    picture = {"file": "golden/picture.png", "pixels": "golden/picture.bin", "tolerance": golden.picture_tolerance}
    yield "golden.json", _json({"kind": golden.kind, "tolerance": stored.tolerance, "cases": cases, "picture": picture})


def _raw_golden(
    bundle: Bundle, manifest: RawManifest, golden: RawGolden, artifact: RawArtifact
) -> Iterator[tuple[str, bytes]]:
    """Each case has its inputs, and its outputs as numbers, by their names."""
    stored = {one.output: one for one in golden.outputs if one.artifact == artifact.path}
    expected = {name: decode_array(bundle.read(one.path), one.path) for name, one in stored.items()}
    cases: list[dict[str, Any]] = []
    left = GOLDEN_BYTES
    for number, row in enumerate(zip(*golden_inputs(bundle, manifest, golden), strict=True)):
        tensors = stored_inputs(manifest, artifact.inputs, row)
        left -= sum(tensor.nbytes for tensor in tensors) + sum(array[number].nbytes for array in expected.values())
        if cases and left < 0:
            break
        files = {spec.name: f"golden/input-{number}-{spec.name}.bin" for spec in artifact.inputs}
        for spec, tensor in zip(artifact.inputs, tensors, strict=True):
            yield files[spec.name], _raw(tensor)
        cases.append({"inputs": files, "outputs": {name: _numbers(array[number]) for name, array in expected.items()}})
    document: dict[str, Any] = {
        "kind": golden.kind,
        "tolerances": {name: one.tolerance for name, one in stored.items()},
        "cases": cases,
    }
    if golden.picture is not None:
        shown = golden.picture
        yield "golden/picture.png", bundle.read(shown.picture)
        yield "golden/picture.bin", _raw(decode_array(bundle.read(shown.tensor), shown.tensor))
        names = {"file": "golden/picture.png", "pixels": "golden/picture.bin"}
        document["picture"] = {**names, "tolerance": shown.tolerance}
    yield "golden.json", _json(document)


def _raw(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _numbers(array: NDArray[np.float32]) -> list[float]:
    """float32 values in as few digits as give them back."""
    return [float(str(value)) for value in array.reshape(-1)]


def _json(value: dict[str, Any]) -> bytes:
    """One key a line: short enough to read, and to compare."""
    lines = (f" {_plain(key)}: {_plain(one)}" for key, one in value.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A part folder beside `folder`, which takes its place when the block ends well."""
    if not folder.name:
        raise SinkError(f"{folder} is no name of a new folder.", "Give one, such as --to exported.")
    part = folder.with_name(f".{secrets.token_hex(8)}.part")
    try:
        if not folder.parent.is_dir():
            raise SinkError(f"{folder}: there is no folder {folder.parent}.", "Make the folder first.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise SinkError(f"{folder} {what}.", "Give a new folder, or remove what is there.")
        part.mkdir()
        yield part
        if folder.is_dir():
            folder.rmdir()
        part.replace(folder)
    except OSError as error:
        raise SinkError(f"{folder}: {error.strerror or error}.", "Write to another place, or free space.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
