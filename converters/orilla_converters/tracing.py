"""From a Keras core to a clean ONNX graph: the ports' float inputs in, float logits out (`image`, `logits`).

Traced and frozen by our own route (compat.py); then ONNX Runtime's basic pass folds the batch normalizations that
tf2onnx leaves, which costs nothing in float and up to 3x in int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orilla_converters.bias_correction import correct_biases
from orilla_converters.calibration_feed import calibration_samples, core_feeds
from orilla_converters.compat import OPSET, frozen_function, keep_paddings, onnx_from_frozen
from orilla_converters.fused_names import name_fused
from orilla_converters.kernel_names import name_by_kernels
from orilla_converters.onnx_names import make_stable
from orilla_converters.opening import open_any
from orilla_converters.ports import IMAGE, Ports, listed, single
from orilla_runtime.errors import ConversionError

INPUT, LOGITS = IMAGE, "logits"


def graph_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the clean graph of the core; the value is its path, the model's ports and its layers' names.

    `parameters["batch"]`: `dynamic` leaves the number of pictures open. With calibration samples there is a second
    graph, `corrected`, whose biases make up for weights that are rounded to int8.
    """
    source = open_any(parameters)
    ports, dynamic = source.ports, parameters.get("batch") == "dynamic"
    value = {
        "path": str(_graph(source.core, ports, folder / "core.onnx", dynamic=dynamic)),
        "ports": ports.to_json(),
        "layers": sorted({layer.name for layer in source.core._flatten_layers()}),
    }
    if {"calibration", "calibrations"} & parameters.keys():
        feeds = core_feeds(calibration_samples(parameters, ports.inputs), ports.inputs)
        if correct_biases(source.core, *feeds):
            value["corrected"] = str(_graph(source.core, ports, folder / "corrected.onnx", dynamic=dynamic))
    return value


def _graph(core: Any, ports: Ports, clean: Path, *, dynamic: bool) -> Path:
    """Write the core's graph to `clean`."""
    import onnx
    import tensorflow as tf

    def call(*tensors: Any) -> list[Any]:
        return [tf.identity(one) for one in listed(core(single(tensors), training=False))]

    batch = None if dynamic else 1
    specs = [tf.TensorSpec((batch, *port.shape), tf.float32, name=port.name) for port in ports.inputs]
    frozen = frozen_function(call, specs)
    inputs = {one.name: port.name for one, port in zip(frozen.inputs, ports.inputs, strict=True)}
    outputs = {one.name: name for one, name in zip(frozen.outputs, logits_of(ports), strict=True)}
    raw = clean.with_name(f"raw-{clean.name}")
    traced = onnx_from_frozen(frozen, "orilla", inputs, outputs)
    keep_paddings(traced.graph)
    onnx.save(traced, raw)
    _clean(raw, clean, core, ports)
    return clean


def logits_of(ports: Ports) -> list[str]:
    """What the clean graph calls its outputs, in the ports' order; their own names come with the softmaxes."""
    return [LOGITS] if len(ports.outputs) == 1 else [f"{LOGITS}_{place}" for place in range(len(ports.outputs))]


def _clean(raw: Path, clean: Path, core: Any, ports: Ports) -> None:
    import onnx

    _require_operators(onnx.load(raw).graph)
    _basic_pass(raw, clean)
    model = onnx.load(clean)
    _keep_used_domains(model)
    _put_in_order(model.graph.input, [port.name for port in ports.inputs])
    _put_in_order(model.graph.output, logits_of(ports))
    if any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        raise ConversionError("The converted graph has branches or loops.", "Orilla converts plain networks.")
    name_fused(model.graph, onnx.load(raw).graph)
    name_by_kernels(model.graph, core)
    _without_subtraction(model.graph)
    make_stable(model.graph)
    onnx.save(model, clean)


def _put_in_order(entries: Any, names: Sequence[str]) -> None:
    """The inputs or outputs of a graph in the ports' order, which tf2onnx does not keep."""
    found = {entry.name: entry for entry in entries}
    if sorted(found) != sorted(names):
        raise ConversionError("The converted graph has other inputs or outputs than the model.")
    ordered = [found[name] for name in names]
    del entries[:]
    entries.extend(ordered)


def _require_operators(graph: Any) -> None:
    """tf2onnx passes some operators on under their TensorFlow names."""
    import onnx

    unknown = sorted({node.op_type for node in graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:
        raise ConversionError(
            f"ONNX has no operator for a part of this model: {', '.join(unknown[:5])}.",
            "Convert to TFLite, or change that layer.",
        )


def _without_subtraction(graph: Any) -> None:
    """x - c becomes x + (-c), and x / c becomes x * (1 / c): the quantizer knows Add and Mul alone."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        other = {"Sub": "Add", "Div": "Mul"}.get(node.op_type)
        value = numpy_helper.to_array(constants[node.input[1]]) if other and node.input[1] in constants else None
        if value is None or value.dtype != "float32" or (other == "Mul" and not value.all()):
            continue
        name = f"{node.name}/turned"
        graph.initializer.append(numpy_helper.from_array(-value if other == "Add" else 1 / value, name))
        node.op_type, node.input[1] = other, name


def _basic_pass(source: Path, target: Path) -> None:
    """BASIC and no more: EXTENDED and ALL save operators that only this ONNX Runtime on this CPU knows."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    try:
        onnxruntime.InferenceSession(source.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise ConversionError(f"ONNX Runtime does not open the converted graph: {text}.") from error


def _keep_used_domains(model: Any) -> None:
    """ONNX Runtime imports nine operator sets into what it saves, though no node uses them."""
    used = {node.domain for node in model.graph.node} | {""}
    foreign = used - {"", "ai.onnx"}
    if foreign:
        raise ConversionError(f"The converted graph needs operators of {', '.join(sorted(foreign))}.")
    kept = [entry for entry in model.opset_import if entry.domain in {"", "ai.onnx"}]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    if not kept or kept[0].version < OPSET:
        raise ConversionError(f"The converted graph is older than opset {OPSET}.")
