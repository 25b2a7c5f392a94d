"""What every manifest must be, whatever its task: its files, its artifacts, its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from orilla_runtime.bundle.layout import is_name
from orilla_runtime.errors import BundleError
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tensors import TensorSpec

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyArtifact, AnyManifest

FOLDERS = ("artifacts", "golden", "report")
KINDS = ("real", "drawn")

_WORD = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_MAX_RANK = 8

Refuse = Callable[[str, str], BundleError]
"""Makes the error from a fault and a clause."""


def is_word(text: str) -> bool:
    """A word of small letters, digits and a few marks."""
    return 1 <= len(text) <= 64 and not text.strip(_WORD) and text[0] not in "._-"


def is_sha256(text: str) -> bool:
    """64 lower-case hexadecimal digits."""
    return len(text) == 64 and not text.strip("0123456789abcdef")


def check_files(manifest: AnyManifest, sizes: Mapping[str, int], refuse: Refuse) -> None:
    """`files` and the entries are the same."""
    paths = [file.path for file in manifest.files]
    if paths != sorted(set(paths)):
        raise refuse("wrong-value", "files are not sorted by path, each once")
    for file in manifest.files:
        if not is_name(file.path) or file.path.partition("/")[0] not in FOLDERS or "/" not in file.path:
            raise refuse("entry-name", f"{file.path!r} is not a file in {'/, '.join(FOLDERS)}/")
        if file.path not in sizes:
            raise refuse("missing-entry", f"{file.path} is listed and not there")
        if file.bytes != sizes[file.path]:
            raise refuse("wrong-size", f"{file.path} has {sizes[file.path]} bytes, not {file.bytes}")
        if not is_sha256(file.sha256):
            raise refuse("wrong-value", f"the sha256 of {file.path} is not 64 lower-case hexadecimal digits")
    if unlisted := sorted(set(sizes) - set(paths)):
        raise refuse("unlisted-entry", f"{unlisted[0]} is there and not listed")


def check_name(manifest: AnyManifest, refuse: Refuse) -> None:
    """The bundle has a name."""
    if not manifest.name.strip():
        raise refuse("wrong-value", "name is empty")


def check_artifacts(manifest: AnyManifest, refuse: Refuse) -> None:
    """Artifacts are listed files with possible tensors, and `defaults` are artifacts."""
    files = {file.path for file in manifest.files}
    artifacts: Sequence[AnyArtifact] = manifest.artifacts
    paths = [artifact.path for artifact in artifacts]
    if not paths or len(set(paths)) < len(paths):
        raise refuse("wrong-value", "artifacts must name one file or more, each once")
    for artifact in artifacts:
        if artifact.path not in files or not artifact.path.startswith("artifacts/"):
            raise refuse("missing-entry", f"the artifact {artifact.path!r} is not a listed file in artifacts/")
        for name, word in (("format", artifact.format), ("precision", artifact.precision)):
            if not is_word(word):
                raise refuse("wrong-value", f"the {name} of {artifact.path} is {word!r}, not a word of small letters")
        for spec in (*artifact.inputs, *artifact.outputs):
            _check_tensor(spec, artifact.path, refuse)
    for target, path in manifest.defaults.items():
        if not is_word(target):
            raise refuse("wrong-value", f"defaults: {target!r} is not a word of small letters")
        if path not in paths:
            raise refuse("unknown-artifact", f"defaults.{target} is {path!r}, which is no artifact")


def _check_tensor(spec: TensorSpec, path: str, refuse: Refuse) -> None:
    fits = len(spec.shape) <= _MAX_RANK and all(side is None or side >= 1 for side in spec.shape)
    if not fits or not is_word(spec.dtype):
        raise refuse("wrong-tensor", f"{path} has the impossible tensor {str(spec)!r}")
    if spec.quantization is not None and not spec.quantization.scale > 0:
        raise refuse("wrong-tensor", f"{path}: the tensor {spec.name!r} has a scale that is not positive")


def is_one_picture(spec: TensorSpec, preprocess: Preprocess) -> bool:
    """What `preprocess` makes, with a batch of one or an open one."""
    shape, made = spec.shape, preprocess.shape
    fits = len(shape) == len(made) and shape[0] in {1, None} and shape[1:] == made[1:]
    return fits and spec.dtype == preprocess.dtype


def check_golden_files(manifest: AnyManifest, pictures: Sequence[str], arrays: Sequence[str], refuse: Refuse) -> None:
    """The entries that the self-test names are listed files in `golden/`."""
    files = {file.path for file in manifest.files}
    for path, suffix in [*((path, ".png") for path in pictures), *((path, ".npy") for path in arrays)]:
        if path not in files or not path.startswith("golden/") or not path.endswith(suffix):
            raise refuse("missing-entry", f"golden: {path!r} is not a listed {suffix} file in golden/")
