"""Why an artifact failed: its layers one by one, and the known fault that explains its outputs, if one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.faults import name_fault
from orilla_converters.layer_report import LayerReport
from orilla_converters.plain_json import json_bytes
from orilla_converters.source import open_source
from orilla_converters.tensor_file import TensorFile
from orilla_converters.verify import Judge, Verdict
from orilla_converters.worker import Workshop
from orilla_runtime.errors import OrillaError
from orilla_runtime.files import replaced

PICTURES = 32
"""The most that the layers are compared on."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in one artifact. `fault`: empty, or the known fault in words. `layers` is None where the file
    could not be compared layer by layer; `why` then says why."""

    artifact: str
    fault: str
    layers: LayerReport | None
    why: str = ""

    def finding(self) -> str:
        """The fault, or what the layers say, in a few words."""
        return self.fault or (self.layers.finding() if self.layers else self.why)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for the report."""
        layers = None if self.layers is None else self.layers.to_json()
        return {"artifact": self.artifact, "finding": self.finding(), "fault": self.fault, "layers": layers}


def diagnose(
    workshop: Workshop, judge: Judge, verdict: Verdict, source: Mapping[str, Any], graph: str | None = None
) -> Diagnosis:
    """Look into an artifact that failed, in a process of its own; a diagnosis that fails itself says so.

    source: what the job that made it needed to open the model. graph: for ONNX, its clean float graph.
    """
    name = verdict.recipe.name
    path = workshop.scratch / f"suspect-{name}"
    path.write_bytes(verdict.data)
    parameters = {
        "artifact": str(path),
        "format": verdict.recipe.format,
        "graph": graph,
        "limit": verdict.gate.min_sqnr_db,
        "tensors": judge.tensors.to_json(),
        "compares": verdict.comparison is not None,
    }
    try:
        found = workshop.run("diagnose", f"the diagnosis of {name}", {**source, **parameters})
    except OrillaError as error:
        return Diagnosis(name, "", None, f"its layers could not be compared ({error.message})")
    layers = None if found["layers"] is None else LayerReport.from_json(found["layers"])
    return Diagnosis(name, found["fault"], layers, found["why"])


def diagnose_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """Job: compare the artifact's layers with the float core, and its outputs with those of known faults."""
    source = open_source(parameters)
    data = Path(parameters["artifact"]).read_bytes()
    tensors = TensorFile.from_json(parameters["tensors"]).open()
    pictures = np.asarray(tensors[:: max(1, len(tensors) // PICTURES)][:PICTURES])
    fault = name_fault(source, parameters["format"], data, pictures) if parameters["compares"] else ""
    layers, why = None, ""
    try:
        layers = _layers(parameters, source, data, pictures)
    except Exception as error:
        why = f"its layers could not be compared ({type(error).__name__}: {str(error)[:120]})"
    return {"fault": fault, "layers": None if layers is None else layers.to_json(), "why": why}


def _layers(parameters: Mapping[str, Any], source: Any, data: bytes, pictures: Any) -> LayerReport:
    from orilla_converters import onnx_layers, tflite_layers

    names = _layer_names(source.core)
    limit = float(parameters["limit"])
    if parameters["format"] == "tflite":
        return tflite_layers.compare_layers(data, source, names, pictures, limit)
    graph = Path(parameters["graph"])
    return onnx_layers.compare_layers(data, graph, source.normalization, names, pictures, limit)


def _layer_names(core: Any) -> list[str]:
    """The layers that compute something, without the models that hold them."""
    flatten = getattr(core, "_flatten_layers", tuple)
    return [layer.name for layer in flatten() if not hasattr(layer, "layers")]


def report_path(output: Path) -> Path:
    """Where the diagnosis of a conversion goes that wrote no bundle: beside the bundle that was to be."""
    return output.with_suffix(".diagnosis.json")


def write_report(output: Path, diagnoses: Sequence[Diagnosis], repairs: Mapping[str, Sequence[str]]) -> Path:
    """Write what was found, and what `--repair` tried."""
    artifacts = [found.to_json() | {"tried": list(repairs.get(found.artifact, ()))} for found in diagnoses]
    return write_diagnosis(output, {"bundle": output.name, "artifacts": artifacts})


def write_diagnosis(output: Path, document: Mapping[str, Any]) -> Path:
    """Write `NAME.diagnosis.json` beside the bundle that was to be, whole or not at all; its path."""
    path = report_path(output)
    with replaced(path) as part:
        part.write_bytes(json_bytes(document))
    return path
