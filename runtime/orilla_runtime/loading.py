"""Opens the file behind a model: which artifact, which engine, and whether the two agree with what was promised."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orilla_runtime.bundle.faults import refusal
from orilla_runtime.bundle.raw_manifest import AnyArtifact, RawManifest
from orilla_runtime.bundle.reader import Bundle, open_bundle
from orilla_runtime.engines.base import Engine, EngineOptions, Session
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import EngineError, ModelError, UsageError
from orilla_runtime.formats.files import read_bytes
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tasks.classification import ClassificationTask
from orilla_runtime.tasks.fitting import FitOptions, fit_classification
from orilla_runtime.tasks.raw import RawTask
from orilla_runtime.tensors import TensorSpec
from orilla_runtime.text import printable


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that a `Model` is made of; its attributes say what each is.

    `again` opens another session of the same bytes on the same engine, with that many threads; `threads` is what the
    caller allowed, None for every CPU.
    """

    path: Path
    artifact: str
    format: str
    precision: str | None
    engine: str
    session: Session
    task: ClassificationTask | RawTask
    preprocess: Preprocess | None
    bundle: Bundle | None
    again: Callable[[int], Session]
    threads: int | None


def open_bundled(
    path: Path,
    wanted: str | None,
    engine: str,
    options: EngineOptions,
    *,
    top: int,
    wanted_task: str | None,
    expected_id: str | None,
) -> Opened:
    """Open a bundle with one of its artifacts. Raises as `load`."""
    bundle = open_bundle(path, expected_id)
    try:
        task, preprocess = _task_of(bundle, wanted_task, top)
        artifact, runner = _choose(bundle, wanted, engine)
        try:
            session = runner.load(bundle.read(artifact.path), options)
        except ModelError as error:
            raise _shown(f"{path.name}, {artifact.path}: {_continued(error.message)}", error) from error
        _require_promised(bundle, artifact, session)
    except BaseException:
        bundle.close()
        raise
    return Opened(
        path=path,
        artifact=artifact.path,
        format=artifact.format,
        precision=artifact.precision,
        engine=runner.name,
        session=session,
        task=task,
        preprocess=preprocess,
        bundle=bundle,
        # Read and hashed anew rather than kept: the bytes of a large model are not held twice.
        again=lambda threads: runner.load(bundle.read(artifact.path), replace(options, threads=threads)),
        threads=options.threads,
    )


def _task_of(bundle: Bundle, wanted: str | None, top: int) -> tuple[ClassificationTask | RawTask, Preprocess | None]:
    """What reads the outputs, and what makes the input of a picture: None where the caller gives the tensors."""
    manifest = bundle.manifest
    if isinstance(manifest, RawManifest):
        if wanted == "classification":
            raise UsageError(f"{bundle.path.name} is no classifier.", "Leave out task: its outputs come as they are.")
        return RawTask(), None if wanted == "raw" else manifest.picture
    if wanted == "raw":
        return RawTask(), None
    info = manifest.task
    return ClassificationTask(info.labels, info.output, info.temperature, top=top), manifest.preprocess


def open_bare(path: Path, engine: str, options: EngineOptions, said: FitOptions | None, *, top: int) -> Opened:
    """Open a bare model; `said` None is the raw task. Raises as `load`."""
    data = read_bytes(path)
    file = read_model(data, path.name)
    runner = engine_for(file.format, engine)
    try:
        session = runner.load(data, options)
    except ModelError as error:
        raise _shown(f"{path.name}: {_continued(error.message)}", error) from error
    try:
        task, preprocess = _fit(file, session, said, path.name, top)
    except ModelError as error:
        session.close()
        raise _shown(error.message, error) from error
    except BaseException:
        session.close()
        raise
    return Opened(
        path=path,
        artifact=path.name,
        format=file.format,
        precision=None,
        engine=runner.name,
        session=session,
        task=task,
        preprocess=preprocess,
        bundle=None,
        # The bytes are kept, since the file may be another one by then; LiteRT holds them anyway.
        again=lambda threads: runner.load(data, replace(options, threads=threads)),
        threads=options.threads,
    )


def _fit(
    file: ModelFile, session: Session, said: FitOptions | None, name: str, top: int
) -> tuple[ClassificationTask | RawTask, Preprocess | None]:
    if said is None:
        return RawTask(), None
    # The engine may know more of the shapes than the file says.
    known = replace(file, inputs=session.inputs, outputs=session.outputs)
    fitted = fit_classification(known, said, name, top)
    return fitted.task, fitted.preprocess


def _shown(message: str, error: ModelError) -> ModelError:
    """The refusal of a foreign file; names out of the file must not steer a terminal."""
    return ModelError(printable(message), printable(error.remedy))


def _continued(message: str) -> str:
    """A sentence that goes on behind the file's name."""
    return f"the {message[4:]}" if message.startswith("The ") else message


def _choose(bundle: Bundle, wanted: str | None, engine: str) -> tuple[AnyArtifact, Engine]:
    """The artifact that was named, else the first default whose format an engine runs here."""
    if wanted is not None:
        artifact = bundle.artifact(wanted)
        return artifact, engine_for(artifact.format, engine)
    reasons: list[EngineError | UsageError] = []
    for artifact in _in_order(bundle):
        try:
            return artifact, engine_for(artifact.format, engine)
        except (EngineError, UsageError) as error:
            reasons.append(error)
    raise reasons[0]


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
    if isinstance(bundle.manifest, RawManifest):
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
