"""Compares every node's output of an `.onnx` artifact with the clean float graph that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.layer_report import LayerReport, Measure, layer_of, report
from orilla_converters.normalization import Normalization

MOVERS = frozenset({"QuantizeLinear", "DequantizeLinear", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze"})
CLIPS = frozenset({"Relu", "Clip"})


@dataclass(frozen=True, slots=True)
class _Step:
    """A node that both graphs have, the tensors to compare, and the scale where ours is quantized."""

    name: str
    operator: str
    theirs: str
    ours: str
    scale: float | None
    reads: tuple[str, ...]


def compare_layers(
    data: bytes,
    graph: Path,
    normalization: Normalization,
    layers: Sequence[str],
    pictures: NDArray[np.uint8],
    limit: float,
) -> LayerReport:
    """Compare an artifact that takes raw bytes with the float `graph` of its core, on uint8 [n, h, w, depth]."""
    import onnx

    reference, judged = onnx.load(graph), onnx.load_from_string(data)
    steps = list(_steps(reference.graph, judged.graph))
    exact = _session(reference, [step.theirs for step in steps])
    tested = _session(judged, [step.ours for step in steps])
    measures: list[Measure] = []
    for picture in pictures:
        pixels = picture[np.newaxis].astype(np.float32) * np.float32(normalization.scale)
        expected = exact.run(
            [step.theirs for step in steps], {_input(exact): pixels + np.float32(normalization.offset)}
        )
        raw = tested.get_inputs()[0].type == "tensor(uint8)"
        found = tested.run(
            [step.ours for step in steps],
            {_input(tested): picture[np.newaxis] if raw else pixels + np.float32(normalization.offset)},
        )
        measures = measures or [_measure(step, values, layers) for step, values in zip(steps, expected, strict=True)]
        for measure, theirs, ours in zip(measures, expected, found, strict=True):
            measure.add(theirs, ours.astype(np.float64))
    return report(measures, limit)


def _measure(step: _Step, values: NDArray[Any], layers: Sequence[str]) -> Measure:
    """ONNX has channels behind the batch where there is a picture, and last where there is none."""
    reads = tuple(layer_of([name], layers) for name in step.reads)
    return Measure(layer_of([step.name], layers), step.operator, step.scale, 1 if values.ndim == 4 else -1, reads)


def _steps(reference: Any, judged: Any) -> Iterator[_Step]:
    ours = {node.name: node for node in judged.node}
    reading = _readers(judged)
    after = _readers(reference)
    constants = {tensor.name: tensor for tensor in judged.initializer}
    makers: dict[str, str] = {}
    for node in reference.node:
        reads = tuple(makers[name] for name in node.input if name in makers)
        passed = node.op_type in MOVERS or node.name not in ours
        makers |= dict.fromkeys(node.output, reads[0] if passed and reads else node.name)
        if passed:
            continue
        # A ReLU that the quantizer took into the range of the node before it is no node any more.
        behind = after.get(node.output[0], [])
        clipped = len(behind) == 1 and behind[0].op_type in CLIPS and behind[0].name not in ours
        theirs = behind[0].output[0] if clipped else node.output[0]
        tensor, scale = _behind_quantizer(ours[node.name].output[0], reading, constants)
        yield _Step(node.name, node.op_type, theirs, tensor, scale, reads)


def _readers(graph: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _behind_quantizer(name: str, reading: dict[str, list[Any]], constants: dict[str, Any]) -> tuple[str, float | None]:
    """The tensor as the next node sees it, and its scale: behind QuantizeLinear and DequantizeLinear if they follow."""
    from onnx import numpy_helper

    for node in reading.get(name, []):
        if node.op_type == "QuantizeLinear":
            back = next((one for one in reading.get(node.output[0], []) if one.op_type == "DequantizeLinear"), None)
            if back is not None:
                scale = constants.get(node.input[1])
                return back.output[0], None if scale is None else float(numpy_helper.to_array(scale))
    return name, None


def _session(model: Any, outputs: Sequence[str]) -> Any:
    """A session that gives those tensors; unoptimized, or they would be fused away."""
    import onnxruntime
    from onnx import helper

    own = {port.name for port in model.graph.output}
    wanted = [name for name in dict.fromkeys(outputs) if name not in own]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _input(session: Any) -> str:
    name: str = session.get_inputs()[0].name
    return name
