"""What the manifest of a raw bundle says must fit together."""

from __future__ import annotations

import re

from orilla_runtime.bundle.common_checks import KINDS, Refuse, check_artifacts, check_golden_files, is_one_picture
from orilla_runtime.bundle.manifest import RAW
from orilla_runtime.bundle.raw_manifest import OutputMetrics, RawArtifact, RawGolden, RawManifest
from orilla_runtime.tensors import TensorSpec

_TENSOR_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


def check_raw(manifest: RawManifest, refuse: Refuse) -> None:
    """Refuse what contradicts itself: tensors, pictures, metrics and the self-test."""
    if manifest.features != (RAW,):
        raise refuse("wrong-value", f"the features of a raw bundle are {list(manifest.features)}, not ['{RAW}']")
    if manifest.task.name != RAW:
        raise refuse("wrong-value", f"task.name is {manifest.task.name!r}, and the features say {RAW!r}")
    check_artifacts(manifest, refuse)
    _check_names(manifest.artifacts[0], refuse)
    for artifact in manifest.artifacts:
        _check_same(artifact, manifest.artifacts[0], refuse)
        _check_pictures(artifact, manifest, refuse)
        _check_metrics(artifact, refuse)
    if manifest.golden is not None:
        _check_golden(manifest.golden, manifest, refuse)


def _check_names(artifact: RawArtifact, refuse: Refuse) -> None:
    names = [spec.name for spec in (*artifact.inputs, *artifact.outputs)]
    if not artifact.inputs or not artifact.outputs:
        raise refuse("wrong-tensor", f"{artifact.path} has no inputs, or no outputs")
    if len(set(names)) < len(names) or not all(map(_TENSOR_NAME.match, names)):
        raise refuse("wrong-tensor", f"{artifact.path}: the tensors' names are not plain, each once: {names!a}")


def _check_same(artifact: RawArtifact, first: RawArtifact, refuse: Refuse) -> None:
    """Whoever calls one artifact can call the others: names, order and shapes behind the batch are the same."""
    for own, theirs in ((artifact.inputs, first.inputs), (artifact.outputs, first.outputs)):
        if list(map(_form, own)) != list(map(_form, theirs)):
            raise refuse("wrong-tensor", f"{artifact.path} and {first.path} differ in their tensors")


def _form(spec: TensorSpec) -> tuple[str, tuple[int | None, ...]]:
    return spec.name, spec.shape[1:]


def _check_pictures(artifact: RawArtifact, manifest: RawManifest, refuse: Refuse) -> None:
    inputs = {spec.name: spec for spec in artifact.inputs}
    for name, preprocess in manifest.preprocess.items():
        if name not in inputs or not is_one_picture(inputs[name], preprocess):
            made = TensorSpec(name, (None, *preprocess.shape[1:]), preprocess.dtype)
            raise refuse("wrong-tensor", f"{artifact.path} does not take {str(made)!a}, which preprocess makes")


def _check_metrics(artifact: RawArtifact, refuse: Refuse) -> None:
    metrics = artifact.metrics
    if metrics is None:
        return
    named = [output.name for output in metrics.outputs] == [spec.name for spec in artifact.outputs]
    if metrics.n < 0 or not named or not all(map(_is_possible, metrics.outputs)):
        raise refuse("wrong-value", f"the metrics of {artifact.path} are out of their ranges, or not of its outputs")


def _is_possible(output: OutputMetrics) -> bool:
    return -1 <= output.cosine <= 1 and output.max_abs_error >= 0 and output.span >= 0


def _check_golden(golden: RawGolden, manifest: RawManifest, refuse: Refuse) -> None:
    if golden.kind not in KINDS:
        raise refuse("wrong-value", f"golden.kind is {golden.kind!r}, not one of {', '.join(KINDS)}")
    arrays = [*(one.path for one in golden.inputs), *(one.path for one in golden.outputs)]
    picture = golden.picture
    pictures = [] if picture is None else [picture.picture]
    check_golden_files(manifest, pictures, arrays if picture is None else [*arrays, picture.tensor], refuse)
    if (picture is None) != (manifest.picture is None):
        raise refuse("wrong-value", "golden.picture is there where one picture is all that the model takes")
    if picture is not None and not 0 <= picture.tolerance <= 255:
        raise refuse("wrong-value", "golden.picture.tolerance is not 0 to 255")
    if [one.name for one in golden.inputs] != [spec.name for spec in manifest.artifacts[0].inputs]:
        raise refuse("wrong-tensor", "golden.inputs must name every input once, in order")
    wanted = [(artifact.path, spec.name) for artifact in manifest.artifacts for spec in artifact.outputs]
    if sorted((one.artifact, one.output) for one in golden.outputs) != sorted(wanted):
        raise refuse("unknown-artifact", "golden.outputs must name every output of every artifact once")
    if any(one.tolerance < 0 for one in golden.outputs):
        raise refuse("wrong-value", "a golden tolerance is negative")
