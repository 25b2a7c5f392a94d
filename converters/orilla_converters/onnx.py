"""Writes ONNX artifacts: the model's ports in and out, opset 18; a classifier's are `image` and `probabilities`.

All start from the clean float graph of the core (tracing.py): the normalization goes in front and the softmax,
always in float, behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.calibration_feed import EXTREMES, Samples, calibration_feeds, calibration_samples
from orilla_converters.layer_names import nodes_of_layers
from orilla_converters.metadata import port_properties
from orilla_converters.normalization import IDENTITY
from orilla_converters.onnx_names import make_stable
from orilla_converters.ports import InputPort, Ports
from orilla_converters.recipe import Recipe, parse_recipe
from orilla_converters.tracing import logits_of
from orilla_runtime.errors import ConversionError

_MOVERS = ("Transpose", "Reshape")
_STRIDE = 10
"""Pictures between two merges of the ranges that calibration finds."""


def write_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write the artifact of `parameters["recipe"]` from the graph; the value is its path."""
    import onnx

    recipe = parse_recipe(parameters["recipe"])
    ports = Ports.from_json(parameters["ports"])
    graph = Path(parameters["graph"])
    if recipe.calibrated:
        quantized = folder / "quantized.onnx"
        samples = calibration_samples(parameters, ports.inputs)
        kept = _nodes_in_float(onnx.load(graph).graph, recipe, parameters)
        corrected = _corrected(graph, parameters.get("corrected"), kept, folder)
        _quantize(corrected, quantized, samples, ports, kept)
        model = onnx.load(quantized)
        _require_quantized(model.graph, recipe)
        for given, logits in zip(ports.outputs, logits_of(ports), strict=True):
            if given.softmax:
                _leave_in_float(model.graph, logits)
    else:
        model = onnx.load(graph)
        if recipe.precision == "float16":
            model = _half(model)
    if recipe.io != "float":
        for port in ports.pictures:
            _take_bytes(model, recipe, port)
    _append_ends(model.graph, ports)
    make_stable(model.graph)
    _finish(model, port_properties(ports, parameters["labels"], recipe.io), dynamic=recipe.batch == "dynamic")
    path = folder / recipe.name
    path.write_bytes(model.SerializeToString(deterministic=True))
    return {"path": str(path)}


def _half(model: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = convert_float_to_float16(model, keep_io_types=True)
    # Its casts stand at the end of the graph, behind their readers.
    make_stable(half.graph)
    return half


def _normalize(model: Any, port: InputPort) -> None:
    """image uint8 → (channels first) → Cast → Mul → Add → the core's float input."""
    from onnx import TensorProto, helper

    graph, image, normalization = model.graph, port.name, port.normalization or IDENTITY
    source, place = _behind_movers(graph, image)
    _rename_reads(graph, source, f"{image}_normalized")
    nodes = [helper.make_node("Cast", [source], [f"{image}_pixels"], name=f"{image}_to_float", to=TensorProto.FLOAT)]
    for name, operator, value, neutral in (
        ("scaled", "Mul", normalization.scale, 1.0),
        ("shifted", "Add", normalization.offset, 0.0),
    ):
        if value != neutral:
            graph.initializer.append(helper.make_tensor(f"{image}_{name}_by", TensorProto.FLOAT, [], [value]))
            feeds = [nodes[-1].output[0], f"{image}_{name}_by"]
            nodes.append(helper.make_node(operator, feeds, [f"{image}_{name}"], name=f"{image}_{name}"))
    nodes[-1].output[0] = f"{image}_normalized"
    for node in reversed(nodes):
        graph.node.insert(place, node)
    _take_uint8(graph, image)


def _nodes_in_float(graph: Any, recipe: Recipe, parameters: Mapping[str, Any]) -> list[str]:
    """The nodes of the layers that a mixed artifact leaves in float."""
    if not recipe.float_layers:
        return []
    names = {node.name: (node.name, *node.output) for node in graph.node if node.op_type not in _MOVERS}
    return sorted(nodes_of_layers(names, recipe.float_layers, parameters["layers"]))


def _corrected(graph: Path, corrected: str | None, kept: Sequence[str], folder: Path) -> Path:
    """The graph with corrected biases, but for the nodes that stay in float: their weights are not rounded."""
    import onnx

    if corrected is None or not kept:
        return Path(corrected or graph)
    model, plain = onnx.load(corrected), onnx.load(graph)
    read = {name for node in plain.graph.node if node.name in kept for name in node.input}
    values = {tensor.name: tensor for tensor in plain.graph.initializer if tensor.name in read}
    for tensor in model.graph.initializer:
        if tensor.name in values:
            tensor.CopyFrom(values[tensor.name])
    path = folder / "corrected.onnx"
    onnx.save(model, path)
    return path


def _require_quantized(graph: Any, recipe: Recipe) -> None:
    """The quantizer leaves in float what it does not know; that a whole network stayed so, it does not say."""
    made = {name: node.op_type for node in graph.node for name in node.output}
    heavy = [node for node in graph.node if node.op_type in {"Conv", "ConvTranspose", "MatMul", "Gemm"}]
    left = [node for node in heavy if made.get(node.input[1]) != "DequantizeLinear"]
    if heavy and len(left) == len(heavy):
        raise ConversionError(f"{recipe.name}: the quantizer left everything in float.", "Leave it out for this model.")
    if left and recipe.precision == "int8":
        kinds = ", ".join(sorted({node.op_type for node in left}))
        raise ConversionError(
            f"{recipe.name}: {len(left)} of {len(heavy)} heavy operators stayed in float: {kinds}.",
            "Leave out int8 for this model, or name their layers in a mixed recipe.",
        )


def _leave_in_float(graph: Any, name: str) -> None:
    """A quantized input gives an output in float: in 256 steps the best of 1,000 logits are ties.

    The pairs of QuantizeLinear and DequantizeLinear behind the last operator that computes are taken out.
    """
    made = {output: node for node in graph.node for output in node.output}
    back = made[name]
    given = made.get(back.input[0])
    if back.op_type != "DequantizeLinear" or given is None or given.op_type != "QuantizeLinear":
        return
    source = made[given.input[0]]
    if [node.name for node in graph.node if source.output[0] in node.input] != [given.name]:
        return
    source.output[0] = name
    graph.node.remove(back)
    graph.node.remove(given)
    if source.op_type in _MOVERS:
        _leave_in_float(graph, source.input[0])


def _take_bytes(model: Any, recipe: Recipe, port: InputPort) -> None:
    """The input becomes uint8: read as the quantized input where there is one, or cast and normalized in float."""
    source, _ = _behind_movers(model.graph, port.name)
    readers = [node for node in model.graph.node if source in node.input]
    if recipe.calibrated and [node.op_type for node in readers] == ["QuantizeLinear"]:
        _read_as_quantized(model, readers[0], source, port)
    else:
        # Floats, or what the quantizer does not know in front of the first convolution, a Resize for example.
        _normalize(model, port)


def _read_as_quantized(model: Any, quantize: Any, source: str, port: InputPort) -> None:
    """Let the raw byte be the quantized input: `image` uint8 → DequantizeLinear, in place of the quantizer's pair."""
    from onnx import numpy_helper

    graph, normalization = model.graph, port.normalization or IDENTITY
    constants = {tensor.name: tensor for tensor in graph.initializer}
    scale, zero = constants[quantize.input[1]], constants[quantize.input[2]]
    found = float(numpy_helper.to_array(scale)), int(numpy_helper.to_array(zero))
    if abs(found[0] / normalization.scale - 1) > 1e-3 or abs(found[1] - normalization.zero_point) > 1:
        raise ConversionError(
            f"int8.onnx: the range of the input {port.name!r} came out as scale {found[0]:.6g}, zero point {found[1]}, "
            f"not {normalization.scale:.6g} and {normalization.zero_point}."
        )
    # Exactly, whatever rounding the calibration left.
    scale.CopyFrom(numpy_helper.from_array(np.array(normalization.scale, np.float32), scale.name))
    zero.CopyFrom(numpy_helper.from_array(np.array(normalization.zero_point, np.uint8), zero.name))
    graph.node.remove(quantize)
    _rename_reads(graph, quantize.output[0], source)
    _take_uint8(graph, port.name)


def _behind_movers(graph: Any, image: str) -> tuple[str, int]:
    """The tensor behind the operators that only move the input's values, and where in the graph its reader may stand.

    Keras has channels last and ONNX first: moving bytes is a quarter of moving floats.
    """
    name, place = image, 0
    while True:
        readers = [(at, node) for at, node in enumerate(graph.node) if name in node.input]
        if len(readers) != 1 or readers[0][1].op_type not in _MOVERS:
            return name, place
        place, name = readers[0][0] + 1, readers[0][1].output[0]


def _take_uint8(graph: Any, image: str) -> None:
    """The input is bytes; types that were written down for the tensors behind it no longer hold."""
    from onnx import TensorProto

    taken = next(entry for entry in graph.input if entry.name == image)
    taken.type.tensor_type.elem_type = TensorProto.UINT8
    del graph.value_info[:]


def _quantize(graph: Path, target: Path, samples: Samples, ports: Ports, kept: Sequence[str]) -> None:
    """QDQ, U8 activations and S8 weights per channel (S8 activations are several times slower on x86), min and max.

    The calibrator keeps the range of every tensor for every picture of a stride; then it merges them.
    `CalibMaxIntermediateOutputs` looks made for that, but throws away what it should merge (onnxruntime 1.31).
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(graph),
        str(target),
        _Reader(samples, ports),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=False,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=list(kept),
        extra_options={"CalibStridedMinMax": _STRIDE},
    )


class _Reader:
    """The calibration samples as ONNX Runtime asks for them: so many, then so many more."""

    def __init__(self, samples: Samples, ports: Ports) -> None:
        self._feeds: Iterator[dict[str, Any]] = calibration_feeds(samples, ports.inputs)
        count = len(samples[ports.inputs[0].name])
        # ONNX Runtime wants whole strides; a stride that gives nothing is none.
        self._most = -(-(count + EXTREMES) // _STRIDE) * _STRIDE
        self._left = 0

    def __len__(self) -> int:
        return self._most

    def set_range(self, start_index: int, end_index: int) -> None:
        """Give as many more as the range is long; ranges are asked for in order."""
        self._left = end_index - start_index

    def get_next(self) -> dict[str, Any] | None:
        """The next feed, or None at the end of the range or of the pictures."""
        feed = next(self._feeds, None) if self._left > 0 else None
        self._left -= 1
        return feed


def _append_ends(graph: Any, ports: Ports) -> None:
    """The softmaxes, in float, and the outputs' own names."""
    from onnx import helper

    for entry, port, logits in zip(graph.output, ports.outputs, logits_of(ports), strict=True):
        entry.name = port.name
        if port.softmax:
            graph.node.append(helper.make_node("Softmax", [logits], [port.name], name=port.name, axis=-1))
            continue
        _rename_reads(graph, logits, port.name)
        for node in graph.node:
            node.output[:] = [port.name if name == logits else name for name in node.output]


def _rename_reads(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _finish(model: Any, properties: Mapping[str, str], *, dynamic: bool) -> None:
    """Names, metadata and the checker's word."""
    import onnx

    model.producer_name, model.producer_version, model.doc_string = "orilla", "", ""
    model.graph.name = "orilla"
    del model.metadata_props[:]
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    for port in (*model.graph.input, *model.graph.output):
        batch = port.type.tensor_type.shape.dim[0]
        batch.Clear()
        if dynamic:
            batch.dim_param = "batch"
        else:
            batch.dim_value = 1
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise ConversionError(f"The ONNX checker refuses what was written: {text}.") from error
