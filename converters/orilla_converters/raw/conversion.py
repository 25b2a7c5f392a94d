"""The walk from a model of any inputs and outputs to a raw bundle.

read → calibrate → write → verify → measure → bundle
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.diagnose import report_path
from orilla_converters.origin import Origin
from orilla_converters.progress import Note, Progress, Step
from orilla_converters.raw.bundling import write
from orilla_converters.raw.description import RawDescription
from orilla_converters.raw.judging import RawJudge
from orilla_converters.raw.refusal import refusal
from orilla_converters.raw.samples import ARRAYS, Samples, read_samples
from orilla_converters.raw.standing import RawStanding, stand
from orilla_converters.recipe import Recipe
from orilla_converters.results import ConversionResult, RawArtifactResult, figures
from orilla_converters.tensor_file import TensorFile
from orilla_converters.worker import Task, Workshop
from orilla_runtime.errors import UsageError

TASKS = ("classification", "raw")


def checked_task(task: str | None) -> str | None:
    """The task, where it is one that is known."""
    if task is not None and task not in TASKS:
        raise UsageError(f"task={task!r} is not known.", f"Use {' or '.join(TASKS)}.")
    return task


def require_for_raw(**given: bool) -> None:
    """Refuse the options that a model without classes has no use for; `given`: which were given, by name.

    Raises:
        UsageError: one of them was.
    """
    useless = [f"--{name.replace('_', '-')}" for name, there in given.items() if there]
    if useless:
        raise UsageError(
            f"{', '.join(useless)}: for classifiers alone, and the model gives no scores of classes for one picture.",
            "Leave it out; report/verification.json in the bundle has the figures of every output.",
        )


def is_arrays(data: str | Path) -> bool:
    """Whether the data are arrays of samples, and no pictures."""
    return Path(data).suffix == ARRAYS


@dataclass(frozen=True, slots=True)
class RawWalk:
    """Everything that a raw conversion is made from; the arguments are those of `conversion.convert`."""

    workshop: Workshop
    origin: Origin
    description: RawDescription
    recipes: Sequence[Recipe]
    data: str | Path
    calibration: int
    seed: int
    golden: str
    timing: bool
    say: Progress

    def to(self, output: Path) -> ConversionResult:
        """Convert, judge and write. Raises as `conversion.convert`."""
        self.say(
            Note(f"{self.origin.path.name} is no classifier of one picture: its bundle gives the outputs as they are.")
        )
        preprocess = self.description.preprocess(self.origin.options)
        samples = read_samples(
            self.data,
            self.description.ports.inputs,
            preprocess,
            calibration=self.calibration,
            seed=self.seed,
            folder=self.workshop.scratch,
        )
        self.say(Step("calibrate", f"{samples.calibrated_on} samples to calibrate, {samples.judged_on} to judge"))
        for note in samples.notes:
            self.say(Note(note))
        files, keras = self._write(samples)
        judge = RawJudge(self.description.ports, samples.judged, keras)
        verdicts = []
        for recipe, data in zip(self.recipes, files, strict=True):
            self.say(Step("verify", recipe.name))
            verdicts.append(judge.verdict(recipe, data))
        if any(verdict.shortcomings for verdict in verdicts):
            raise refusal(verdicts, samples, output)
        report_path(output).unlink(missing_ok=True)  # of an earlier conversion, which failed
        rows = stand(verdicts, samples, self.description.ports, timing=self.timing, say=self.say)
        self.say(Step("bundle", str(output)))
        identity = write(
            output,
            verdicts=verdicts,
            defaults={row.verdict.recipe.format: row.path for row in rows if row.default},
            samples=samples,
            ports=self.description.ports,
            preprocess=self.description.fed(preprocess, self.recipes[0].io),
            training=self.origin.training,
            golden=self.golden,
            record=self._record(samples),
        )
        return ConversionResult(output, identity, (), samples.calibrated_on, raw=tuple(map(_result, rows)))

    def _write(self, samples: Samples) -> tuple[list[bytes], dict[str, TensorFile]]:
        """Each artifact in a process of its own; the bytes in the recipes' order, and Keras' own outputs."""
        self.say(Step("write", ", ".join(f"{recipe.format} {recipe.precision}" for recipe in self.recipes)))
        source = self.origin.job_parameters | {"task": "raw"}
        sample = self._sample(samples)
        tasks = {"reference": Task("raw-reference", "Keras", source | {"samples": _as_json(samples.judged)})}
        for recipe in self.recipes:
            if recipe.format == "onnx":
                tasks[f"graph {recipe.batch}"] = Task("onnx-graph", "onnx", source | {"batch": recipe.batch})
            else:
                tasks[recipe.name] = Task(recipe.format, recipe.name, {**source, **sample, "recipe": str(recipe)})
        values = self.workshop.run_all(tasks)
        graphs = {name: _graph(value) for name, value in values.items() if name.startswith("graph ")}
        values |= self.workshop.run_all(
            {
                recipe.name: Task(
                    "onnx", recipe.name, {**graphs[f"graph {recipe.batch}"], **sample, "recipe": str(recipe)}
                )
                for recipe in self.recipes
                if recipe.format == "onnx"
            }
        )
        files = [Path(values[recipe.name]["path"]).read_bytes() for recipe in self.recipes]
        outputs = values["reference"]["outputs"]
        return files, {name: TensorFile.from_json(one) for name, one in outputs.items()}

    def _sample(self, samples: Samples) -> dict[str, Any]:
        """What a job that writes an artifact takes besides the model and the recipe."""
        several = _as_json(samples.calibration)
        pictures = self.description.preprocess(self.origin.options).values()
        return {
            "calibration": next(iter(several.values())),
            "calibrations": several,
            "labels": [],
            "channels": next((made.channels for made in pictures), "rgb"),
        }

    def _record(self, samples: Samples) -> dict[str, Any]:
        """What was used, so that the conversion can be repeated."""
        given = self.origin.normalization
        return {
            "calibration": {"n": samples.calibrated_on, "digests": _digests(samples.calibration), "seed": self.seed},
            "judged": {"n": samples.judged_on, "digests": _digests(samples.judged)},
            "normalization": None if given is None else list(given),
        }


def _as_json(files: Mapping[str, TensorFile]) -> dict[str, Any]:
    return {name: file.to_json() for name, file in files.items()}


def _digests(files: Mapping[str, TensorFile]) -> dict[str, str]:
    return {name: file.digest for name, file in files.items()}


def _graph(made: Mapping[str, Any]) -> dict[str, Any]:
    return {"graph": made["path"], "ports": made["ports"], "layers": made["layers"]}


def _result(row: RawStanding) -> RawArtifactResult:
    verdict = row.verdict
    assert verdict.metrics is not None
    return RawArtifactResult(**figures(row), metrics=verdict.metrics, gate=verdict.gate)
