"""Runs an artifact in its real engine on real pictures and compares it with Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orilla_converters.calibration_feed import normalized
from orilla_converters.gates import gate_for, shortcomings
from orilla_converters.judging import judging_engine
from orilla_converters.metrics import Comparison, Scores, compare
from orilla_converters.normalization import IDENTITY, Normalization, outside
from orilla_converters.recipe import Recipe
from orilla_converters.source import Description
from orilla_converters.stability import THRESHOLDS
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.bundle.manifest import Gate
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.errors import OrillaError
from orilla_runtime.formats.tflite import read_tflite
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.tensors import TensorSpec

INPUT, OUTPUT = "image", "probabilities"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one artifact. `shortcomings` is empty where it passed; `comparison` is None where it did not run.

    `repairs`: what was tried before it passed, in words.
    """

    recipe: Recipe
    data: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    gate: Gate
    comparison: Comparison | None
    shortcomings: tuple[str, ...]
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """The judged pictures with Keras' own scores, float32 [n, classes]; `thresholds` are those of decisions."""

    description: Description
    tensors: TensorFile
    keras: Scores
    images: LabelledImages
    max_drop: float
    thresholds: tuple[float, ...] = THRESHOLDS

    def verdict(self, recipe: Recipe, data: bytes) -> Verdict:
        """Judge one artifact; a file that does not even open or run is a shortcoming, not an exception."""
        gate = gate_for(recipe.precision, labelled=self.images.class_ids is not None, max_drop=self.max_drop)
        inputs: tuple[TensorSpec, ...] = ()
        outputs: tuple[TensorSpec, ...] = ()
        comparison = None
        try:
            session = judging_engine(recipe.format).load(data, EngineOptions())
            try:
                inputs, outputs = session.inputs, session.outputs
                reasons = self._structure(recipe, data, session)
                if not reasons:
                    found = run_all(session, self.tensors.open(), self.left_outside(recipe))
                    quantization = outputs[0].quantization
                    step = quantization.scale if quantization else 0.0
                    comparison = compare(self.keras, found, self.images.class_ids, step, self.thresholds)
                    reasons = shortcomings(comparison, gate, recipe.precision)
            finally:
                session.close()
        except OrillaError as error:
            reasons = (f"it does not run: {error.message}",)
        return Verdict(recipe, data, inputs, outputs, gate, comparison, reasons)

    def left_outside(self, recipe: Recipe) -> Normalization:
        """What is done to the pixels before an artifact of this recipe takes them."""
        return outside(recipe.io, Normalization(self.description.scale, self.description.offset))

    def _structure(self, recipe: Recipe, data: bytes, session: Session) -> tuple[str, ...]:
        """Whether the file is what was asked: tensors, types, names, operators, and the input's scale."""
        height, width, depth = self.description.shape
        batch = None if recipe.open_batch else 1
        taken = "float32" if recipe.io == "float" else "uint8"
        given = "uint8" if recipe.io == "integer" else "float32"
        wanted_input = TensorSpec(INPUT, (batch, height, width, depth), taken)
        wanted_output = TensorSpec(OUTPUT, (batch, self.description.classes), given)
        found = []
        for what, specs, wanted in (("takes", session.inputs, wanted_input), ("gives", session.outputs, wanted_output)):
            if [(spec.name, spec.shape, spec.dtype) for spec in specs] != [(wanted.name, wanted.shape, wanted.dtype)]:
                found.append(f"it {what} {', '.join(map(str, specs))}, not {wanted}")
        if recipe.format == "tflite":
            custom = read_tflite(data).custom
            found += [f"it needs the operators {', '.join(custom)}"] if custom else []
            if recipe.calibrated and recipe.io != "float" and not found:
                found += self._scale(session.inputs[0])
        return tuple(found)

    def _scale(self, spec: TensorSpec) -> list[str]:
        """In an int8 TFLite the normalization is the input's scale and zero point."""
        wanted = Normalization(self.description.scale, self.description.offset)
        found = spec.quantization
        if found is None:
            return ["its input is not quantized"]
        if abs(found.scale / wanted.scale - 1) > 1e-3 or abs(found.zero_point - wanted.zero_point) > 1:
            return [
                f"its input has scale {found.scale:.6g} and zero point {found.zero_point}, "
                f"not {wanted.scale:.6g} and {wanted.zero_point}: its calibration pictures were wrong"
            ]
        return []


def run_all(session: Session, pictures: Sequence[np.ndarray] | np.ndarray, front: Normalization = IDENTITY) -> Scores:
    """The session's first output for each picture, as real numbers, float32 [n, classes].

    front: what is done to the pixels for an input of real numbers.
    """
    spec = session.outputs[0]
    real = session.inputs[0].dtype == "float32"
    rows = []
    for picture in pictures:
        tensor = normalized(picture[np.newaxis], front) if real else np.array(picture[np.newaxis])
        rows.append(spec.real(session.run(tensor)[0]).reshape(-1).copy())
    return np.stack(rows)
