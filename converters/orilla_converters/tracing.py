"""From a Keras core to a clean ONNX graph: float `image` in, float `logits` out.

Traced and frozen by our own route (compat.py); then ONNX Runtime's basic pass folds the batch normalizations that
tf2onnx leaves, which costs nothing in float and up to 3x in int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orilla_converters.compat import OPSET, frozen_function, onnx_from_frozen
from orilla_converters.fused_names import name_fused
from orilla_converters.kernel_names import name_by_kernels
from orilla_converters.onnx_names import make_stable
from orilla_converters.source import open_source
from orilla_runtime.errors import ConversionError

INPUT, LOGITS = "image", "logits"


def graph_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the clean graph of the core; the value is its path, its normalization and its layers' names.

    `parameters["batch"]`: `dynamic` leaves the number of pictures open.
    """
    import onnx
    import tensorflow as tf

    source = open_source(parameters)
    height, width, depth = source.shape

    def call(pixels: Any) -> Any:
        return tf.identity(source.core(pixels, training=False))

    batch = None if parameters.get("batch") == "dynamic" else 1
    frozen = frozen_function(call, [tf.TensorSpec((batch, height, width, depth), tf.float32, name=INPUT)])
    names = {frozen.inputs[0].name: INPUT}, {frozen.outputs[0].name: LOGITS}
    raw, clean = folder / "raw.onnx", folder / "core.onnx"
    onnx.save(onnx_from_frozen(frozen, "orilla", *names), raw)
    layers = sorted({layer.name for layer in source.core._flatten_layers()})
    _clean(raw, clean, source.core)
    normalization = source.normalization
    return {
        "path": str(clean),
        "normalization": [normalization.scale, normalization.offset],
        "layers": layers,
    }


def _clean(raw: Path, clean: Path, core: Any) -> None:
    import onnx

    _basic_pass(raw, clean)
    model = onnx.load(clean)
    _keep_used_domains(model)
    if [port.name for port in model.graph.input] != [INPUT] or [port.name for port in model.graph.output] != [LOGITS]:
        raise ConversionError("The converted graph has other inputs or outputs than the model.")
    if any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        raise ConversionError("The converted graph has branches or loops.", "Orilla converts plain networks.")
    name_fused(model.graph, onnx.load(raw).graph)
    name_by_kernels(model.graph, core)
    make_stable(model.graph)
    onnx.save(model, clean)


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
