"""What a manifest says must fit together, and fit the entries beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orilla_runtime.bundle.common_checks import (
    KINDS,
    Refuse,
    check_artifacts,
    check_files,
    check_golden_files,
    check_name,
    is_one_picture,
    is_word,
)
from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.layout import MANIFEST
from orilla_runtime.bundle.manifest import Accuracy, Artifact, Golden, Manifest
from orilla_runtime.errors import BundleError
from orilla_runtime.tensors import TensorSpec

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyManifest

OUTPUTS = ("probabilities", "logits")


def check_manifest(manifest: AnyManifest, sizes: Mapping[str, int], where: str) -> None:
    """Refuse a manifest that contradicts itself or the entries; `sizes` are their bytes, manifest.json left out.

    Raises:
        BundleError: with the fault that `docs/bundle.md` names.
    """

    def refuse(fault: str, what: str) -> BundleError:
        return refusal(where, fault, f"{MANIFEST}: {what}")

    check_files(manifest, sizes, refuse)
    check_name(manifest, refuse)
    if isinstance(manifest, Manifest):
        _check_predictor(manifest, refuse)
        return
    from orilla_runtime.bundle.raw_checks import check_raw

    check_raw(manifest, refuse)


def _check_predictor(manifest: Manifest, refuse: Refuse) -> None:
    """A classifier, or a task outside this tree."""
    _check_task(manifest, refuse)
    check_artifacts(manifest, refuse)
    for artifact in manifest.artifacts:
        _check_metrics(artifact, refuse)
        if manifest.task.name == "classification":
            _check_classifier(artifact, manifest, refuse)
    if manifest.golden is not None:
        _check_golden(manifest.golden, manifest, refuse)


def _check_task(manifest: Manifest, refuse: Refuse) -> None:
    task = manifest.task
    if not is_word(task.name):
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


def _check_classifier(artifact: Artifact, manifest: Manifest, refuse: Refuse) -> None:
    if len(artifact.inputs) != 1 or len(artifact.outputs) != 1:
        counts = f"{len(artifact.inputs)} inputs and {len(artifact.outputs)} outputs"
        raise refuse("wrong-tensor", f"the classifier {artifact.path} has {counts}, not one of each")
    preprocess, classes = manifest.preprocess, len(manifest.task.labels)
    expected = TensorSpec("image", (None, *preprocess.shape[1:]), preprocess.dtype)
    taken, given = artifact.inputs[0], artifact.outputs[0]
    if not is_one_picture(taken, preprocess):
        raise refuse("wrong-tensor", f"{artifact.path} takes {str(taken)!r}, and preprocess makes {str(expected)!r}")
    # Some converters keep the pooled sides: [1, 1, 1, classes].
    batch_of_one = all(side in {1, None} for side in given.shape[:-1])
    if not given.shape or given.shape[-1] != classes or not batch_of_one:
        raise refuse("wrong-tensor", f"{artifact.path} gives {str(given)!r}, and there are {classes} labels")


def _check_golden(golden: Golden, manifest: Manifest, refuse: Refuse) -> None:
    if golden.kind not in KINDS:
        raise refuse("wrong-value", f"golden.kind is {golden.kind!r}, not one of {', '.join(KINDS)}")
    if not 0 <= golden.picture_tolerance <= 255:
        raise refuse("wrong-value", "golden.picture_tolerance is not 0 to 255")
    arrays = [golden.inputs, golden.tensor, *(output.path for output in golden.outputs)]
    check_golden_files(manifest, [golden.picture], arrays, refuse)
    covered = [output.artifact for output in golden.outputs]
    if sorted(covered) != sorted(artifact.path for artifact in manifest.artifacts):
        raise refuse("unknown-artifact", "golden.outputs must name every artifact once")
    if any(output.tolerance < 0 for output in golden.outputs):
        raise refuse("wrong-value", "a golden tolerance is negative")
