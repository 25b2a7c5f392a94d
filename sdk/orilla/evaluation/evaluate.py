"""A Keras model, a bundle's artifacts or a bare model, judged on labelled pictures.

Everything but a Keras model runs on the device too, without TensorFlow: pictures go through the runtime's Preprocess
and engines, the same way that `run` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orilla.data.opening import open_data
from orilla.evaluation.judgement import Criteria, Judgement, judge
from orilla.evaluation.misnumbered import misnumbered
from orilla.evaluation.parts import Chosen, choose_part
from orilla.evaluation.scoring import Scored, score_with
from orilla.evaluation.slices import slice_values
from orilla.runnable import runnable
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.bundle.reader import is_bundle, open_bundle
from orilla_runtime.errors import EngineError, UsageError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.labelled.scores import agreement
from orilla_runtime.model import Model, load

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE_PRECISION = "float32"


@dataclass(frozen=True, slots=True)
class ArtifactEvaluation:
    """One model file on one set of pictures.

    `predicted` holds the top-1 class id of every picture that could be read, in the order of `Evaluation.paths`.
    `agreement` is the share of pictures with the same top-1 as the bundle's float32 artifact of the same run, which was
    proved against Keras; None where there is nothing to compare with. `judgement` holds all other figures.
    """

    artifact: str
    format: str
    precision: str | None
    accuracy: Accuracy
    agreement: float | None
    predicted: tuple[int, ...]
    judgement: Judgement = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of `evaluate`.

    `skipped` names artifacts that no engine here can run, and `failed` pictures that could not be read, each with the
    reason. `part` is what was judged of the data (`all`, `test`, …), and `note` says why, where that is not plain.
    `default` is the place in `artifacts` of the one that runs when nobody names one. `images` are the judged pictures,
    in the order of `paths`, and `training` is what the model says of its training.
    """

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    truth: tuple[int, ...]
    artifacts: tuple[ArtifactEvaluation, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    part: str = "all"
    note: str = ""
    default: int = 0
    images: LabelledImages | None = field(default=None, repr=False, compare=False)
    training: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the caller wants to know, and who is told of the progress."""

    part: str | None
    slices: tuple[str, ...]
    criteria: Criteria
    progress: Callable[[int, int], None] | None

    def chosen(self, images: LabelledImages, training: Mapping[str, Any]) -> tuple[Chosen, dict[str, tuple[str, ...]]]:
        chosen = choose_part(images, training, self.part)
        return chosen, {column: slice_values(chosen.images, column) for column in self.slices}


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    artifact: str | None = None,
    part: str | None = None,
    slices: Sequence[str] = (),
    criteria: Criteria | None = None,
    progress: Callable[[int, int], None] | None = None,
    **load_options: Any,
) -> Evaluation:
    """Judge a `.orilla` bundle, a `.tflite`, an `.onnx` or a `.keras` file on labelled pictures.

    Args:
        model: the file; of a bundle every artifact that an engine here can run, or only `artifact`.
        data: a folder with a subfolder a class, a table with `path` and `label` or `class_id`, an `.npz` or a named
            set. On the very data that the model was trained on, its recorded test part is judged.
        part: `train`, `validation` or `test` of the recorded split, or `all`.
        slices: columns of the table, or `folder`, to judge by apart.
        criteria: how the threshold is to be chosen, how many classes `top_k` looks at, and so on.
        progress: called with the number of pictures done and their total.
        load_options: for bare models, as `orilla.load` takes them (`labels`, `mean`, …), and `threads`.

    Raises:
        DataError: the pictures do not make a data set, or a class of theirs is no label of the model.
        ModelError, BundleError, EngineError: the model cannot be opened or run here.
        UsageError: a part, a slice or a criterion that is not possible.
    """
    pictures = open_data(data)
    asked = _Asked(part, tuple(slices), criteria or Criteria(), progress)
    if Path(model).suffix == ".keras":
        return _evaluate_keras(Path(model), pictures, asked)
    with ExitStack() as stack:
        models, skipped = open_artifacts(model, artifact, load_options)
        for opened in models:
            stack.enter_context(opened)
        return _evaluate_files(models, skipped, pictures, asked)


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


def _evaluate_files(
    models: list[Model], skipped: tuple[tuple[str, str], ...], pictures: LabelledImages, asked: _Asked
) -> Evaluation:
    first = models[0]
    if not first.labels or first.preprocess is None:
        raise UsageError(f"{first.path} is no classifier of pictures.", "Evaluation needs labels.")
    manifest = None if first.bundle is None else first.bundle.classifier
    training = {} if manifest is None else manifest.training
    asked.criteria.ok(first.labels)
    chosen, slices = asked.chosen(pictures, training)
    scored = score_with(models, chosen.images, asked.progress)
    reference = next((place for place, one in enumerate(models) if one.precision == REFERENCE_PRECISION), None)
    best = [scores.argmax(axis=1) for scores in scored.scores]
    artifacts = tuple(
        _artifact(
            (model.artifact, model.format, model.precision),
            _judged(place, scored, first.labels, slices, asked),
            None if reference is None else agreement(best[place], best[reference]),
        )
        for place, model in enumerate(models)
    )
    default = _default([one.artifact for one in artifacts], {} if manifest is None else manifest.defaults)
    return _evaluation(first.labels, scored, artifacts, chosen, training, skipped=skipped, default=default)


def _default(artifacts: Sequence[str], defaults: Mapping[str, str]) -> int:
    """The place of the bundle's default, TFLite's first, as `load` takes it; 0 where none was judged."""
    targets = sorted(defaults, key=lambda target: ("tflite", "onnx", target).index(target))
    return next((artifacts.index(defaults[target]) for target in targets if defaults[target] in artifacts), 0)


def _evaluate_keras(path: Path, pictures: LabelledImages, asked: _Asked) -> Evaluation:
    from orilla.evaluation.keras_model import keras_card, keras_scores

    card = keras_card(path)
    asked.criteria.ok(card.labels)
    chosen, slices = asked.chosen(pictures, card.training)
    found = keras_scores(path, chosen.images, progress=asked.progress)
    place_of = {name.as_posix(): place for place, name in enumerate(chosen.images.paths)}
    read = np.array([place_of[name] for name in found.paths], np.int64)
    scored = Scored((found.scores,), found.truth, read, found.paths, found.failed)
    judged = _judged(0, scored, card.labels, slices, asked)
    artifact = _artifact((path.name, "keras", REFERENCE_PRECISION), judged, None)
    return _evaluation(card.labels, scored, (artifact,), chosen, card.training)


def _judged(
    place: int, scored: Scored, labels: Sequence[str], slices: Mapping[str, Sequence[str]], asked: _Asked
) -> Judgement:
    read = {column: [values[index] for index in scored.read] for column, values in slices.items()}
    return judge(scored.scores[place], scored.truth, labels, paths=scored.paths, slices=read, criteria=asked.criteria)


def _artifact(names: tuple[str, str, str | None], judgement: Judgement, same: float | None) -> ArtifactEvaluation:
    predicted = tuple(judgement.answers.predicted.tolist())
    return ArtifactEvaluation(*names, judgement.accuracy, same, predicted, judgement)


def _evaluation(
    labels: Sequence[str],
    scored: Scored,
    artifacts: tuple[ArtifactEvaluation, ...],
    chosen: Chosen,
    training: Mapping[str, Any],
    *,
    skipped: tuple[tuple[str, str], ...] = (),
    default: int = 0,
) -> Evaluation:
    numbered = misnumbered(artifacts[default].judgement) if chosen.images.ids_given else ""
    return Evaluation(
        labels=tuple(labels),
        paths=scored.paths,
        truth=tuple(scored.truth.tolist()),
        artifacts=artifacts,
        skipped=skipped,
        failed=scored.failed,
        part=chosen.part,
        note=" ".join(text for text in (chosen.note, numbered) if text),
        default=default,
        images=chosen.images.subset(scored.read),
        training=training,
    )
