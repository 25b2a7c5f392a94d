"""Runs a raw artifact in its real engine on the judged samples and compares every output with Keras'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.calibration_feed import normalized
from orilla_converters.judging import judging_engine
from orilla_converters.normalization import outside
from orilla_converters.ports import InputPort, Ports
from orilla_converters.raw.gates import raw_gate, shortcomings
from orilla_converters.raw.metrics import OutputMeasure, expected
from orilla_converters.recipe import Recipe
from orilla_converters.tensor_file import TensorFile
from orilla_runtime.bundle.raw_manifest import RawGate, RawMetrics
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.errors import OrillaError
from orilla_runtime.formats.tflite import read_tflite
from orilla_runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class RawVerdict:
    """What came of one artifact. `shortcomings` is empty where it passed; `metrics` is None where it did not run.

    `worst`: for each output the judged sample with the largest error.
    """

    recipe: Recipe
    data: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    gate: RawGate
    metrics: RawMetrics | None
    worst: Mapping[str, int]
    shortcomings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawJudge:
    """The judged samples by input, and Keras' own outputs for them."""

    ports: Ports
    samples: Mapping[str, TensorFile]
    keras: Mapping[str, TensorFile]

    def verdict(self, recipe: Recipe, data: bytes) -> RawVerdict:
        """Judge one artifact; a file that does not even open or run is a shortcoming, not an exception."""
        gate = raw_gate(recipe.precision)
        inputs: tuple[TensorSpec, ...] = ()
        outputs: tuple[TensorSpec, ...] = ()
        measures: tuple[OutputMeasure, ...] = ()
        try:
            session = judging_engine(recipe.format, self.ports).load(data, EngineOptions())
            try:
                inputs, outputs = session.inputs, session.outputs
                reasons = self._structure(recipe, data, session)
                if not reasons:
                    measures = self._measured(recipe, session)
            finally:
                session.close()
        except OrillaError as error:
            reasons = (f"it does not run: {error.message}",)
        figures = tuple(measure.metrics() for measure in measures)
        for measure, output in zip(measures, figures, strict=True):
            reasons += measure.faults() or shortcomings(output, gate)
        metrics = RawMetrics(self._count, figures) if figures else None
        worst = {measure.name: measure.worst for measure in measures}
        return RawVerdict(recipe, data, inputs, outputs, gate, metrics, worst, reasons)

    @property
    def _count(self) -> int:
        return len(next(iter(self.samples.values())))

    def _measured(self, recipe: Recipe, session: Session) -> tuple[OutputMeasure, ...]:
        names = [spec.name for spec in session.outputs]
        measures = tuple(OutputMeasure(name, expected(self.keras[name])) for name in names)
        samples = zip(*(self.samples[port.name] for port in self.ports.inputs), strict=True)
        answers = zip(*(self.keras[name] for name in names), strict=True)
        for row, keras in zip(samples, answers, strict=True):
            found = run(session, self.ports, row, recipe.io)
            for measure, theirs, ours in zip(measures, keras, found, strict=True):
                measure.add(theirs, ours)
        return measures

    def _structure(self, recipe: Recipe, data: bytes, session: Session) -> tuple[str, ...]:
        """Whether the file is what was asked: names, shapes, types, operators, and the pictures' scales."""
        batch = None if recipe.open_batch else 1
        whole = recipe.io == "integer"
        given = "uint8" if whole else "float32"
        wanted_inputs = [
            TensorSpec(port.name, (batch, *port.shape), "uint8" if _is_bytes(port, recipe) or whole else "float32")
            for port in self.ports.inputs
        ]
        wanted_outputs = [TensorSpec(port.name, (batch, *port.shape), given) for port in self.ports.outputs]
        found = []
        for verb, specs, wanted in (
            ("takes", session.inputs, wanted_inputs),
            ("gives", session.outputs, wanted_outputs),
        ):
            if list(map(str, specs)) != list(map(str, wanted)):
                found.append(f"it {verb} {', '.join(map(str, specs))}, not {', '.join(map(str, wanted))}")
        if recipe.format == "tflite":
            custom = read_tflite(data).custom
            found += [f"it needs the operators {', '.join(custom)}"] if custom else []
            if recipe.calibrated and recipe.io != "float" and not found:
                found += [
                    reason
                    for port, spec in zip(self.ports.inputs, session.inputs, strict=True)
                    for reason in _scale(port, spec)
                ]
        return tuple(found)


def _is_bytes(port: InputPort, recipe: Recipe) -> bool:
    return port.normalization is not None and recipe.io != "float"


def _scale(port: InputPort, spec: TensorSpec) -> list[str]:
    """In an int8 TFLite a picture's normalization is its input's scale and zero point."""
    wanted, found = port.normalization, spec.quantization
    if wanted is None:
        return []
    if found is None:
        return [f"its input {port.name!r} is not quantized"]
    if abs(found.scale / wanted.scale - 1) > 1e-3 or abs(found.zero_point - wanted.zero_point) > 1:
        return [
            f"its input {port.name!r} has scale {found.scale:.6g} and zero point {found.zero_point}, "
            f"not {wanted.scale:.6g} and {wanted.zero_point}: its calibration pictures were wrong"
        ]
    return []


def run(session: Session, ports: Ports, row: tuple[NDArray[Any], ...], io: str) -> tuple[NDArray[np.float32], ...]:
    """The session's outputs for one sample, as real numbers; the sample as it is stored, without the batch."""
    found = session.run(*taken(session.inputs, ports, row, io))
    return tuple(spec.real(tensor).copy() for spec, tensor in zip(session.outputs, found, strict=True))


def taken(
    specs: Sequence[TensorSpec], ports: Ports, row: tuple[NDArray[Any], ...], io: str
) -> tuple[NDArray[Any], ...]:
    """One sample as an artifact with these inputs takes it, a batch of one."""
    tensors = []
    for port, spec, values in zip(ports.inputs, specs, row, strict=True):
        tensor = np.array(values[np.newaxis])
        if port.normalization is None:
            tensors.append(spec.stored(tensor))
        else:
            tensors.append(normalized(tensor, outside(io, port.normalization)) if spec.dtype == "float32" else tensor)
    return tuple(tensors)
