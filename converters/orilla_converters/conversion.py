"""The walk from a Keras model to a verified bundle: read → calibrate → write → verify → repair → bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters import bundling
from orilla_converters.calibration import Pictures, Selection, read_both, select
from orilla_converters.gates import DEFAULT_MAX_DROP
from orilla_converters.live import on_disk
from orilla_converters.measuring import stand
from orilla_converters.mending import Mender, mend
from orilla_converters.origin import Origin, read_origin
from orilla_converters.progress import Note, Progress, Step, silent
from orilla_converters.raw.conversion import RawWalk, checked_task, is_arrays, require_for_raw
from orilla_converters.raw.description import RawDescription
from orilla_converters.recipe import Recipe
from orilla_converters.report.reporter import Reporter, checked_report
from orilla_converters.results import ConversionResult, artifact_results
from orilla_converters.source import Description
from orilla_converters.stability import checked_thresholds
from orilla_converters.standing import alike, few_pictures, near_chance
from orilla_converters.verify import Judge, Verdict
from orilla_converters.worker import DEFAULT_LIMIT, Task, Workshop
from orilla_runtime.errors import ConversionError, DataError, GateError, UsageError
from orilla_runtime.files import require_writable
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.labelled.reading import read_labelled
from orilla_runtime.preprocess import Channels, Fit, Preprocess


@dataclass(frozen=True, slots=True)
class _Material:
    """Everything that the artifacts are made from and judged by."""

    origin: Origin
    description: Description
    selection: Selection
    calibration: Pictures
    judged: Pictures


def convert(
    model: Any,
    *,
    data: str | Path,
    output: str | Path,
    recipes: Sequence[Recipe],
    calibration: int | None = None,
    max_drop: float | None = None,
    thresholds: Sequence[float] = (),
    timing: bool = True,
    report: str | Path | None = None,
    seed: int = 0,
    golden: str = "real",
    labels: Sequence[str] | str | Path | None = None,
    scale: float | None = None,
    offset: float | None = None,
    channels: Channels | None = None,
    fit: Fit | None = None,
    crop_fraction: float | None = None,
    progress: Progress | None = None,
    repair: bool = False,
    unsafe: bool = False,
    task: str | None = None,
    jobs: int = 1,
    limit: float = DEFAULT_LIMIT,
    memory: int | None = None,
) -> ConversionResult:
    """Convert a Keras model, prove every artifact against it, and write a bundle.

    Args:
        model: a `.keras` or `.h5` file, the folder of a SavedModel, or a Keras model in memory, which is not changed.
        data: labelled pictures (a folder with a subfolder a class, or a CSV), or a folder of pictures without labels:
            then agreement is judged alone. See `task` for models that are no classifiers.
        calibration: how many pictures int8 is calibrated on, in place of what the recipes say; the others judge. Where
            the model's card names the training's split and the pictures are there, its train pictures calibrate and its
            test pictures judge.
        max_drop: how far top-1 may be below Keras', as a fraction; by default 0.01, one point.
        thresholds: of scores, at which decisions are compared besides 0.5, 0.7 and 0.9.
        timing: measure the artifacts against each other; the default of a format is then the fastest, where one is
            clearly faster. Without it the precision alone decides, and the same input gives the same bytes.
        report: where to write all figures as one HTML page (`NAME.html`), and its plot beside it (`NAME.png`); it is
            written where a gate fails too.
        golden: the self-test in the bundle: `real` (a few of the pictures), `drawn`, or `none`.
        labels, scale, offset, channels, fit, crop_fraction: for a model that carries no card of Orilla: its class names
            (or a text file of them), what it expects of a pixel (`pixel * scale + offset`), and how a picture becomes
            its input.
        repair: where an artifact fails its gate, try what is known to help and take the first that passes; the bundle
            says what was done.
        unsafe: run the code that the model's file holds (Lambda layers).
        task: `classification`, or `raw` for a model whose outputs are no scores of classes; by default what the model
            looks like. A raw bundle of several inputs, or of others than pictures, takes as `data` an `.npz` file with
            an array for each input, by its name; `max_drop`, `thresholds`, `report` and `repair` are refused there.
        jobs: conversions side by side. limit, memory: seconds and bytes that each may take; by default half an hour,
            and together 85 % of the machine's memory.

    Raises:
        GateError: artifacts are worse than their gates allow. No bundle was written; the layers of those artifacts
            are in `NAME.diagnosis.json` beside it.
        ConversionError: a conversion failed, crashed or took too long. DataError: the pictures do not fit the model.
        UsageError: options that do not fit together. SinkError: the bundle cannot be written.
    """
    say: Progress = progress or silent
    output = _checked_output(Path(output))
    recipes = _checked_recipes(recipes, calibration)
    count = next((one.calibration for one in recipes if one.calibrated), recipes[0].calibration)
    if golden not in bundling.GOLDEN_KINDS:
        raise UsageError(f"Unknown golden data {golden!r}.", f"Orilla knows {', '.join(bundling.GOLDEN_KINDS)}.")
    if max_drop is not None and not 0 <= max_drop <= 1:
        raise UsageError(f"max_drop is {max_drop}, not a fraction from 0 to 1.", "One point is 0.01.")
    if seed < 0:
        raise UsageError(f"The seed is {seed}.", "Give 0 or a whole number above it.")
    levels, page = checked_thresholds(thresholds), checked_report(report)
    with on_disk(model) as path, Workshop(limit, jobs, memory, adjustable=True) as workshop:
        origin = read_origin(
            path,
            labels=labels,
            scale=scale,
            offset=offset,
            channels=channels,
            fit=fit,
            crop_fraction=crop_fraction,
            trusted=unsafe,
            task=checked_task(task),
        )
        images = None if is_arrays(data) else read_labelled(data, labelled=False)
        if images is not None and origin.labels is not None:
            images = images.aligned(origin.labels)
        _require_desk(recipes)
        name = str(model) if isinstance(model, str | Path) else path.stem
        say(Step("read", name))
        description = origin.described_by(workshop)
        if isinstance(description, RawDescription):
            require_for_raw(
                repair=repair, report=page is not None, max_drop=max_drop is not None, threshold=bool(thresholds)
            )
            walk = RawWalk(workshop, origin, description, recipes, data, count, seed, golden, timing, say)
            return walk.to(output)
        if images is None:
            raise UsageError(f"{path} is a classifier; {data} holds no pictures.", "Give a folder of pictures.")
        material = _calibrate(workshop, origin, description, images, count, seed, say)
        _require_sample(material, recipes)
        source, sample = origin.job_parameters, _sample(material)
        files, keras = _write(workshop, material, sample, recipes, say)
        drop = DEFAULT_MAX_DROP if max_drop is None else max_drop
        judge = Judge(description, material.judged.tensors, keras, material.judged.images, drop, levels)
        verdicts = _verify(judge, files, recipes, say)
        labels, record = origin.labels_for(description), _record(material, seed)
        preprocess = origin.preprocess_for(description)
        reporter = Reporter(page, Path(name).name, output.name, labels, preprocess, record, judge)
        mender = Mender(workshop, source, sample)
        try:
            verdicts = mend(mender, judge, verdicts, output, repairing=repair, say=say)
        except GateError as error:
            reporter.failed(verdicts, error, mender.tried, say)
            raise
        rows = stand(judge, verdicts, timing=timing, say=say)
        say(Step("bundle", str(output)))
        identity = bundling.write(
            output,
            verdicts=verdicts,
            defaults={row.verdict.recipe.format: row.path for row in rows if row.default},
            judge=judge,
            labels=labels,
            preprocess=_fed(preprocess, judge, recipes[0]),
            training=origin.training,
            golden=golden,
            record=record,
        )
        reporter.passed(rows, identity)
    return ConversionResult(output, identity, artifact_results(rows), len(material.calibration.tensors), page)


def _checked_output(output: Path) -> Path:
    """Refuse now what would fail after minutes of work."""
    if output.suffix != ".orilla":
        better = output.with_suffix(".orilla").name if output.name else "NAME.orilla"
        raise UsageError(f"{output}: a bundle's name ends in .orilla.", f"Take {better}.")
    require_writable(output)
    return output


def _require_desk(recipes: Sequence[Recipe]) -> None:
    """Say at once what is not installed; nothing is imported."""
    needed = ["tensorflow", "keras", *(["tf2onnx", "onnx"] if any(one.format == "onnx" for one in recipes) else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ConversionError(f"Converting needs {', '.join(missing)}.", "Install the desk: pip install 'orilla[desk]'")


def _checked_recipes(recipes: Sequence[Recipe], calibration: int | None) -> tuple[Recipe, ...]:
    """The recipes, each once; `calibration`: for all of them, where it is given."""
    distinct: dict[str, Recipe] = {}
    for recipe in recipes:
        wanted = recipe if calibration is None else replace(recipe, calibration=calibration)
        other = distinct.setdefault(recipe.name, wanted)
        if str(other) != str(wanted):
            raise UsageError(f"{other} and {wanted} would both be {recipe.name}.", "Write a bundle for each.")
    if not distinct:
        raise UsageError("No artifact to make.", "Give at least one format and one precision.")
    samples = {recipe.calibration: recipe for recipe in distinct.values() if recipe.calibrated}
    if len(samples) > 1:
        raise UsageError(
            f"{' and '.join(map(str, samples.values()))}: a conversion has one sample to calibrate on.",
            "Give the same calibration=N to all, or write a bundle for each.",
        )
    if len({recipe.io == "float" for recipe in distinct.values()}) > 1:
        raise UsageError(
            "A bundle has one way from a picture to the input: io=float does not go with the others.",
            "Write one bundle for io=float, and another for the rest.",
        )
    return tuple(distinct.values())


def _calibrate(
    workshop: Workshop,
    origin: Origin,
    description: Description,
    images: LabelledImages,
    count: int,
    seed: int,
    say: Progress,
) -> _Material:
    """Choose the pictures and run them through `Preprocess`."""
    if origin.labels is None:
        images = _numbered(images, origin, description)
    selection = select(images, origin.split, calibration=count, seed=seed)
    say(Step("calibrate", f"{len(selection.calibration)} pictures to calibrate, {len(selection.judged)} to judge"))
    if origin.split and selection.origin == "seed":
        say(Note("The pictures of the training's split are not all there: calibration and judging were drawn anew."))
    preprocess = origin.preprocess_for(description)
    calibration, judged = read_both(images, selection, origin.split, preprocess, workshop.scratch)
    left_out = (*calibration.unreadable, *judged.unreadable)
    if left_out:
        say(Note(f"{len(left_out)} pictures cannot be read and were left out; the first: {left_out[0]}"))
    if judged.twins:
        say(Note(f"{len(judged.twins)} pictures do not judge: copies of others that calibrated or trained."))
    for note in few_pictures(len(judged.tensors)):
        say(note)
    return _Material(origin, description, selection, calibration, judged)


def _numbered(images: LabelledImages, origin: Origin, description: Description) -> LabelledImages:
    """The pictures with the numbers of the model's outputs as classes, where nobody named the outputs."""
    labels = origin.labels_for(description)
    named = () if images.ids_given or images.class_ids is None else images.classes or ()
    unknown = [name for name in named if name not in labels]
    if unknown:
        raise DataError(
            f"{images.root} has the class {unknown[0]!r}; the {len(labels)} outputs of {origin.path} have no names.",
            "Name them: --labels FILE, one name a line, in the order of the outputs.",
        )
    return images.aligned(labels)


def _require_sample(material: _Material, recipes: Sequence[Recipe]) -> None:
    """A test picture of the training calibrates nothing: where there are no others, int8 cannot be made."""
    calibrated = [recipe.name for recipe in recipes if recipe.calibrated]
    if calibrated and not len(material.calibration.tensors):
        raise DataError(
            f"{material.judged.images.root} holds test pictures of the training alone, and those that judge do not "
            f"calibrate {calibrated[0]}.",
            "Give the folder that the model was trained on, or leave int8 out (--precision float32,float16).",
        )


def _sample(material: _Material) -> dict[str, Any]:
    """What a job that writes an artifact takes besides the model and the recipe."""
    return {
        "calibration": material.calibration.tensors.to_json(),
        "labels": list(material.origin.labels_for(material.description)),
        "channels": material.origin.preprocess_for(material.description).channels,
    }


def _write(
    workshop: Workshop, material: _Material, sample: Mapping[str, Any], recipes: Sequence[Recipe], say: Progress
) -> tuple[list[bytes], np.ndarray]:
    """Each artifact in a process of its own; the bytes in the recipes' order, and Keras' own scores."""
    say(Step("write", ", ".join(f"{recipe.format} {recipe.precision}" for recipe in recipes)))
    source = material.origin.job_parameters
    tasks = {"reference": Task("reference", "Keras", source | {"tensors": material.judged.tensors.to_json()})}
    for recipe in recipes:
        if recipe.format == "onnx":
            given = sample if any(one.calibrated for one in recipes) else {}
            tasks[f"graph {recipe.batch}"] = Task("onnx-graph", "onnx", {**source, **given, "batch": recipe.batch})
        else:
            tasks[recipe.name] = Task(recipe.format, recipe.name, {**source, **sample, "recipe": str(recipe)})
    values = workshop.run_all(tasks)
    later = {}
    for recipe in recipes:
        if recipe.format == "onnx":
            made = values[f"graph {recipe.batch}"]
            graph = made | {"graph": made["path"]}
            later[recipe.name] = Task("onnx", recipe.name, {**graph, **sample, "recipe": str(recipe)})
    values |= workshop.run_all(later)
    files = [Path(values[recipe.name]["path"]).read_bytes() for recipe in recipes]
    return files, np.load(values["reference"]["path"], allow_pickle=False)


def _verify(judge: Judge, files: Sequence[bytes], recipes: Sequence[Recipe], say: Progress) -> list[Verdict]:
    verdicts = []
    for recipe, data in zip(recipes, files, strict=True):
        say(Step("verify", recipe.name))
        verdicts.append(judge.verdict(recipe, data))
    compared = next((verdict.comparison for verdict in verdicts if verdict.comparison), None)
    truth = judge.images.class_ids
    for note in (*alike(judge.keras), *near_chance(compared.metrics.keras_accuracy if compared else None, truth)):
        say(note)
    return verdicts


def _fed(preprocess: Preprocess, judge: Judge, recipe: Recipe) -> Preprocess:
    """How a picture becomes what the artifacts take: bytes, or normalized floats where the recipe says so."""
    if recipe.io != "float":
        return preprocess
    front = judge.left_outside(recipe)
    return replace(preprocess, dtype="float32", scale=(front.scale,), offset=(front.offset,))


def _record(material: _Material, seed: int) -> dict[str, Any]:
    """What was used, so that the conversion can be repeated."""
    given = material.origin.normalization
    return {
        "calibration": {
            "n": len(material.calibration.tensors),
            "digest": material.calibration.tensors.digest,
            "seed": seed,
            "origin": material.selection.origin,
        },
        "judged": {"n": len(material.judged.tensors), "digest": material.judged.tensors.digest},
        "normalization": None if given is None else list(given),
    }
