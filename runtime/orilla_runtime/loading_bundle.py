"""Opens a bundle: which artifact, which engine, and whether the two agree with what the manifest promises."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import Bundle, open_bundle
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.errors import EngineError, UsageError
from orilla_runtime.loading import Opened
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.records import replace
from orilla_runtime.tasks.classification import ClassificationTask
from orilla_runtime.tensors import TensorSpec
from orilla_runtime.tuning.choosing import Chosen, choose
from orilla_runtime.tuning.speeds import Runnable

if TYPE_CHECKING:
    from orilla_runtime.bundle.raw_manifest import AnyArtifact
    from orilla_runtime.tasks.raw import RawTask


def open_bundled(
    path: Path,
    wanted: str | None,
    engine: str,
    options: EngineOptions,
    measure: str,
    *,
    top: int,
    wanted_task: str | None,
    expected_id: str | None,
) -> Opened:
    """Open a bundle with one of its artifacts. Raises as `load`."""
    bundle = open_bundle(path, expected_id)
    try:
        task, preprocess = _task_of(bundle, wanted_task, top)
        chosen = _choose(bundle, wanted, engine, options, measure)
        artifact = bundle.artifact(chosen.model.name)
        try:
            _require_promised(bundle, artifact, chosen.session)
        except BaseException:
            chosen.session.close()
            raise
    except BaseException:
        bundle.close()
        raise
    return Opened(
        path=path,
        artifact=artifact.path,
        format=artifact.format,
        precision=artifact.precision,
        engine=chosen.engine.name,
        session=chosen.session,
        task=task,
        preprocess=preprocess,
        bundle=bundle,
        # Read and hashed anew rather than kept: the bytes of a large model are not held twice.
        again=lambda threads: chosen.engine.load(bundle.read(artifact.path), replace(options, threads=threads)),
        threads=options.threads,
        session_threads=chosen.threads,
        why=chosen.why,
    )


def _task_of(bundle: Bundle, wanted: str | None, top: int) -> tuple[ClassificationTask | RawTask, Preprocess | None]:
    """What reads the outputs, and what makes the input of a picture: None where the caller gives the tensors."""
    manifest = bundle.manifest
    if not isinstance(manifest, Manifest):
        if wanted == "classification":
            raise UsageError(f"{bundle.path.name} is no classifier.", "Leave out task: its outputs come as they are.")
        return _raw(), None if wanted == "raw" else manifest.picture
    if wanted == "raw":
        return _raw(), None
    info = manifest.task
    return ClassificationTask(info.labels, info.output, info.temperature, top=top), manifest.preprocess


def _raw() -> RawTask:
    from orilla_runtime.tasks.raw import RawTask

    return RawTask()


def _choose(bundle: Bundle, wanted: str | None, engine: str, options: EngineOptions, measure: str) -> Chosen:
    """The artifact that was named, else the first default that an engine runs here.

    With a default come the artifacts of its precision in other formats: they do the same work, and are taken where they
    were measured to be faster. Another precision is a choice that only the caller makes.
    """
    if wanted is not None:
        return choose([runnable(bundle, bundle.artifact(wanted))], engine, options, measure)
    reasons: list[EngineError | UsageError] = []
    for usual_only in (True, False):
        for default in _in_order(bundle):
            models = [runnable(bundle, artifact) for artifact in same_work(bundle, default)]
            try:
                return choose(models, engine, options, measure if usual_only else "never", usual_only=usual_only)
            except (EngineError, UsageError) as error:
                reasons.append(error)
    # That an engine is not there says more than that it takes no files of another format.
    raise next((reason for reason in reasons if isinstance(reason, EngineError)), reasons[0])


def same_work(bundle: Bundle, default: AnyArtifact) -> tuple[AnyArtifact, ...]:
    """This artifact, and those of its precision in other formats."""
    others = [
        artifact
        for artifact in bundle.manifest.artifacts
        if artifact.precision == default.precision and artifact.path != default.path
    ]
    return (default, *others)


def runnable(bundle: Bundle, artifact: AnyArtifact) -> Runnable:
    """An artifact as what can be measured and opened; the bundle must stay open."""
    entry = next(entry for entry in bundle.manifest.files if entry.path == artifact.path)
    return Runnable(
        name=artifact.path,
        shown=f"{bundle.path.name}, {artifact.path}",
        format=artifact.format,
        size=entry.bytes,
        # Hashed as it is read: an engine sees no other bytes than those that the manifest lists.
        read=partial(bundle.read, artifact.path),
        sha256=lambda: entry.sha256,
    )


def _in_order(bundle: Bundle) -> Iterator[AnyArtifact]:
    """The defaults, TFLite first; then whatever else is there."""
    defaults = bundle.manifest.defaults
    for target in sorted(defaults, key=lambda target: ("tflite", "onnx", target).index(target)):
        yield bundle.artifact(defaults[target])
    yield from bundle.manifest.artifacts


def _require_promised(bundle: Bundle, artifact: AnyArtifact, session: Session) -> None:
    """The session's tensors are those of the manifest, and the manifest's `Preprocess` makes the input."""
    pairs = (("input", artifact.inputs, session.inputs), ("output", artifact.outputs, session.outputs))
    for kind, promised, found in pairs:
        if len(promised) != len(found) or not all(map(_same, promised, found)):
            raise _wrong_tensor(
                bundle,
                f"{artifact.path} has the {kind}s {', '.join(map(str, found))}, "
                f"and the manifest promises {', '.join(map(str, promised))}",
            )
    if not isinstance(bundle.manifest, Manifest):
        return  # the manifest's own check has held its pictures against the tensors that it promises
    preprocess = bundle.manifest.preprocess
    made = TensorSpec("Preprocess", preprocess.shape, preprocess.dtype)
    if len(session.inputs) != 1 or not _fits(made, session.inputs[0]):
        taken = ", ".join(map(str, session.inputs))
        raise _wrong_tensor(bundle, f"{artifact.path} takes {taken}, and the manifest's {made} is no such tensor")


def _wrong_tensor(bundle: Bundle, what: str) -> Exception:
    return refusal(str(bundle.path), "wrong-tensor", what)


def _same(promised: TensorSpec, found: TensorSpec) -> bool:
    return promised.name == found.name and _fits(promised, found) and _same_numbers(promised, found)


def _fits(promised: TensorSpec, found: TensorSpec) -> bool:
    """Same dtype and shape; a dimension that one of them leaves open fits any."""
    return (
        promised.dtype == found.dtype
        and len(promised.shape) == len(found.shape)
        and all(a is None or b is None or a == b for a, b in zip(promised.shape, found.shape, strict=True))
    )


def _same_numbers(promised: TensorSpec, found: TensorSpec) -> bool:
    a, b = promised.quantization, found.quantization
    if a is None or b is None:
        return a is b
    return a.zero_point == b.zero_point and math.isclose(a.scale, b.scale, rel_tol=1e-6)
