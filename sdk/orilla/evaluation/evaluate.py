"""Accuracy of a Keras model, a bundle's artifacts or a bare model on labelled pictures.

Everything but a Keras model runs on the device too, without TensorFlow: pictures go through the runtime's Preprocess
and engines, the same way that `run` takes them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orilla.runnable import runnable
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.bundle.reader import is_bundle, open_bundle
from orilla_runtime.errors import DataError, EngineError, SourceError, UsageError
from orilla_runtime.labelled import LabelledImages, read_labelled
from orilla_runtime.labelled.scores import agreement, top1
from orilla_runtime.model import Model, load
from orilla_runtime.preprocess import Preprocessor
from orilla_runtime.sources.picture import read_picture

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE_PRECISION = "float32"


@dataclass(frozen=True, slots=True)
class ArtifactEvaluation:
    """One model file on one set of pictures.

    `predicted` holds the top-1 class id of every picture that could be read, in the order of `Evaluation.paths`.
    `agreement` is the share of pictures with the same top-1 as the bundle's float32 artifact of the same run, which was
    proved against Keras; None where there is nothing to compare with.
    """

    artifact: str
    format: str
    precision: str | None
    accuracy: Accuracy
    agreement: float | None
    predicted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of `evaluate`.

    `skipped` names artifacts that no engine here can run, and `failed` pictures that could not be read, each with the
    reason.
    """

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    truth: tuple[int, ...]
    artifacts: tuple[ArtifactEvaluation, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    artifact: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **load_options: Any,
) -> Evaluation:
    """Judge a `.orilla` bundle, a `.tflite`, an `.onnx` or a `.keras` file on labelled pictures.

    Args:
        model: the file; of a bundle every artifact that an engine here can run, or only `artifact`.
        data: a folder with a subfolder a class, or a CSV with `path` and `label` or `class_id`.
        progress: called with the number of pictures done and their total.
        load_options: for bare models, as `orilla.load` takes them (`labels`, `mean`, …), and `threads`.

    Raises:
        DataError: the pictures do not make a data set, or a class of theirs is no label of the model.
        ModelError, BundleError, EngineError: the model cannot be opened or run here.
    """
    pictures = read_labelled(data)
    if Path(model).suffix == ".keras":
        return _evaluate_keras(Path(model), pictures, progress)
    with ExitStack() as stack:
        models, skipped = open_artifacts(model, artifact, load_options)
        for opened in models:
            stack.enter_context(opened)
        aligned = _aligned(models[0], pictures)
        return replace(_run(models, aligned, progress), skipped=skipped)


def open_artifacts(
    path: str | Path, artifact: str | None, options: dict[str, Any]
) -> tuple[list[Model], tuple[tuple[str, str], ...]]:
    """A bare model, or all artifacts of a bundle that an engine here runs; and what was skipped, with the reason."""
    if not is_bundle(path):
        return [load(path, **options)], ()
    with open_bundle(path) as bundle:
        artifacts = bundle.manifest.artifacts
    if artifact:
        return [load(path, artifact=artifact, **options)], ()
    able, skipped = runnable(artifacts)
    if not able:
        raise EngineError(
            f"{path}: no engine here runs any of its artifacts: {skipped[0][1]}",
            "Install one: pip install 'orilla[litert]' or 'orilla[onnx]'.",
        )
    return [load(path, artifact=entry.path, **options) for entry in able], skipped


def _aligned(model: Model, pictures: LabelledImages) -> LabelledImages:
    if not model.labels or model.preprocess is None:
        raise UsageError(f"{model.path} is no classifier of pictures.", "Evaluation needs labels.")
    return pictures.aligned(model.labels)


def _run(models: list[Model], pictures: LabelledImages, progress: Callable[[int, int], None] | None) -> Evaluation:
    """Decode and preprocess each picture once, then ask every model."""
    preprocess = models[0].preprocess
    assert preprocess is not None
    assert pictures.class_ids is not None
    preprocessor = Preprocessor(preprocess)
    paths: list[str] = []
    truth: list[int] = []
    failed: list[tuple[str, str]] = []
    predicted: list[list[int]] = [[] for _ in models]
    for index, path in enumerate(pictures.paths):
        if progress:
            progress(index, len(pictures))
        try:
            tensor = preprocessor(read_picture(pictures.full_path(index)))
        except SourceError as error:
            failed.append((path.as_posix(), error.message))
            continue
        paths.append(path.as_posix())
        truth.append(int(pictures.class_ids[index]))
        for ids, model in zip(predicted, models, strict=True):
            ids.append(int(np.argmax(model.scores(tensor))))
    if progress:
        progress(len(pictures), len(pictures))
    return _summary(models, paths, truth, predicted, failed)


def _summary(
    models: list[Model],
    paths: list[str],
    truth: list[int],
    predicted: list[list[int]],
    failed: list[tuple[str, str]],
) -> Evaluation:
    if not paths:
        raise DataError(f"None of the {len(failed)} pictures could be read: {failed[0][1]}", "Check the files.")
    reference = next(
        (ids for ids, m in zip(predicted, models, strict=True) if m.precision == REFERENCE_PRECISION), None
    )
    return Evaluation(
        labels=tuple(models[0].labels),
        paths=tuple(paths),
        truth=tuple(truth),
        failed=tuple(failed),
        artifacts=tuple(
            _judged(model.artifact, model.format, model.precision, ids, truth, reference)
            for model, ids in zip(models, predicted, strict=True)
        ),
    )


def _judged(
    name: str, format_: str, precision: str | None, ids: list[int], truth: list[int], reference: list[int] | None
) -> ArtifactEvaluation:
    found = np.asarray(ids)
    return ArtifactEvaluation(
        artifact=name,
        format=format_,
        precision=precision,
        accuracy=top1(found, np.asarray(truth)),
        agreement=None if reference is None else agreement(found, np.asarray(reference)),
        predicted=tuple(ids),
    )


def _evaluate_keras(path: Path, pictures: LabelledImages, progress: Callable[[int, int], None] | None) -> Evaluation:
    from orilla.evaluation.keras_model import keras_scores

    scored = keras_scores(path, pictures, progress=progress)
    scores: NDArray[np.float32] = scored.scores
    ids = [int(i) for i in scores.argmax(axis=1)]
    truth = [int(i) for i in scored.truth]
    judged = _judged(path.name, "keras", REFERENCE_PRECISION, ids, truth, None)
    return Evaluation(scored.labels, scored.paths, tuple(truth), (judged,), failed=scored.failed)
