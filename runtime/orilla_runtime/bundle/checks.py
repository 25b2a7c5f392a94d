"""What a manifest says must fit together, and fit the entries beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.layout import MANIFEST, is_name
from orilla_runtime.bundle.manifest import Accuracy, Artifact, Golden, Manifest
from orilla_runtime.errors import BundleError
from orilla_runtime.tensors import TensorSpec

FOLDERS = ("artifacts", "golden", "report")
OUTPUTS = ("probabilities", "logits")
KINDS = ("real", "drawn")

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_MAX_RANK = 8

Refuse = Callable[[str, str], BundleError]
"""Makes the error from a fault and a clause."""


def check_manifest(manifest: Manifest, sizes: Mapping[str, int], where: str) -> None:
    """Refuse a manifest that contradicts itself or the entries; `sizes` are their bytes, manifest.json left out.

    Raises:
        BundleError: with the fault that `docs/bundle.md` names.
    """

    def refuse(fault: str, what: str) -> BundleError:
        return refusal(where, fault, f"{MANIFEST}: {what}")

    _check_files(manifest, sizes, refuse)
    _check_task(manifest, refuse)
    _check_artifacts(manifest, refuse)
    if manifest.golden is not None:
        _check_golden(manifest.golden, manifest, refuse)


def _check_files(manifest: Manifest, sizes: Mapping[str, int], refuse: Refuse) -> None:
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
        if not _SHA256.match(file.sha256):
            raise refuse("wrong-value", f"the sha256 of {file.path} is not 64 lower-case hexadecimal digits")
    if unlisted := sorted(set(sizes) - set(paths)):
        raise refuse("unlisted-entry", f"{unlisted[0]} is there and not listed")


def _check_task(manifest: Manifest, refuse: Refuse) -> None:
    task = manifest.task
    if not manifest.name.strip():
        raise refuse("wrong-value", "name is empty")
    if not _WORD.match(task.name):
        raise refuse("wrong-value", f"task.name is {task.name!r}, not a word of small letters")
    if task.output not in OUTPUTS:
        raise refuse("wrong-value", f"task.output is {task.output!r}, not one of {', '.join(OUTPUTS)}")
    if task.temperature <= 0:
        raise refuse("wrong-value", f"task.temperature is {task.temperature}, not more than 0")
    if task.name == "classification" and not task.labels:
        raise refuse("wrong-value", "task.labels is empty")
    for class_id, label in enumerate(task.labels):
        if not label.strip():
            raise refuse("wrong-value", f"the label of class {class_id} is empty")


def _check_artifacts(manifest: Manifest, refuse: Refuse) -> None:
    files = {file.path for file in manifest.files}
    paths = [artifact.path for artifact in manifest.artifacts]
    if not paths or len(set(paths)) < len(paths):
        raise refuse("wrong-value", "artifacts must name one file or more, each once")
    for artifact in manifest.artifacts:
        if artifact.path not in files or not artifact.path.startswith("artifacts/"):
            raise refuse("missing-entry", f"the artifact {artifact.path!r} is not a listed file in artifacts/")
        for name, word in (("format", artifact.format), ("precision", artifact.precision)):
            if not _WORD.match(word):
                raise refuse("wrong-value", f"the {name} of {artifact.path} is {word!r}, not a word of small letters")
        _check_metrics(artifact, refuse)
        _check_tensors(artifact, manifest, refuse)
    for target, path in manifest.defaults.items():
        if not _WORD.match(target):
            raise refuse("wrong-value", f"defaults: {target!r} is not a word of small letters")
        if path not in paths:
            raise refuse("unknown-artifact", f"defaults.{target} is {path!r}, which is no artifact")


def _check_metrics(artifact: Artifact, refuse: Refuse) -> None:
    metrics = artifact.metrics
    if metrics is None:
        return
    fits = metrics.n >= 0 and 0 <= metrics.agreement <= 1 and metrics.max_abs_error >= 0
    for accuracy in (metrics.accuracy, metrics.keras_accuracy):
        fits = fits and (accuracy is None or _is_accuracy(accuracy))
    if not fits:
        raise refuse("wrong-value", f"the metrics of {artifact.path} are out of their ranges")


def _is_accuracy(accuracy: Accuracy) -> bool:
    return accuracy.n >= 0 and 0 <= accuracy.low <= accuracy.top1 <= accuracy.high <= 1


def _check_tensors(artifact: Artifact, manifest: Manifest, refuse: Refuse) -> None:
    for spec in (*artifact.inputs, *artifact.outputs):
        fits = len(spec.shape) <= _MAX_RANK and all(side is None or side >= 1 for side in spec.shape)
        if not fits or not _WORD.match(spec.dtype):
            raise refuse("wrong-tensor", f"{artifact.path} has the impossible tensor {str(spec)!r}")
        if spec.quantization is not None and not spec.quantization.scale > 0:
            raise refuse("wrong-tensor", f"{artifact.path}: the tensor {spec.name!r} has a scale that is not positive")
    if manifest.task.name == "classification":
        _check_classifier(artifact, manifest, refuse)


def _check_classifier(artifact: Artifact, manifest: Manifest, refuse: Refuse) -> None:
    if len(artifact.inputs) != 1 or len(artifact.outputs) != 1:
        counts = f"{len(artifact.inputs)} inputs and {len(artifact.outputs)} outputs"
        raise refuse("wrong-tensor", f"the classifier {artifact.path} has {counts}, not one of each")
    preprocess, classes = manifest.preprocess, len(manifest.task.labels)
    expected = TensorSpec("image", (None, *preprocess.shape[1:]), preprocess.dtype)
    taken, given = artifact.inputs[0], artifact.outputs[0]
    if not _fits(taken.shape, expected.shape) or taken.dtype != expected.dtype:
        raise refuse("wrong-tensor", f"{artifact.path} takes {str(taken)!r}, and preprocess makes {str(expected)!r}")
    # Some converters keep the pooled sides: [1, 1, 1, classes].
    batch_of_one = all(side in {1, None} for side in given.shape[:-1])
    if not given.shape or given.shape[-1] != classes or not batch_of_one:
        raise refuse("wrong-tensor", f"{artifact.path} gives {str(given)!r}, and there are {classes} labels")


def _fits(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    """The same sides behind a batch of one or an open one."""
    return len(shape) == len(expected) and shape[0] in {1, None} and shape[1:] == expected[1:]


def _check_golden(golden: Golden, manifest: Manifest, refuse: Refuse) -> None:
    if golden.kind not in KINDS:
        raise refuse("wrong-value", f"golden.kind is {golden.kind!r}, not one of {', '.join(KINDS)}")
    if not 0 <= golden.picture_tolerance <= 255:
        raise refuse("wrong-value", "golden.picture_tolerance is not 0 to 255")
    files = {file.path for file in manifest.files}
    arrays = [golden.inputs, golden.tensor, *(output.path for output in golden.outputs)]
    for path, suffix in [(golden.picture, ".png"), *((path, ".npy") for path in arrays)]:
        if path not in files or not path.startswith("golden/") or not path.endswith(suffix):
            raise refuse("missing-entry", f"golden: {path!r} is not a listed {suffix} file in golden/")
    covered = [output.artifact for output in golden.outputs]
    if sorted(covered) != sorted(artifact.path for artifact in manifest.artifacts):
        raise refuse("unknown-artifact", "golden.outputs must name every artifact once")
    if any(output.tolerance < 0 for output in golden.outputs):
        raise refuse("wrong-value", "a golden tolerance is negative")
