"""Compares every operator's output of a `.tflite` file with the float file of the same Keras core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.layer_report import LayerReport, Measure, layer_of, report
from orilla_converters.normalization import Normalization
from orilla_converters.source import KerasSource

MOVERS = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator: its name, its output's index, name, shape, and that output's scale and zero point for int types.

    reads: the names of the operators' outputs that it takes, whatever moves stand between.
    """

    operator: str
    tensor: int
    name: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int
    reads: tuple[str, ...]


def compare_layers(
    data: bytes, source: KerasSource, layers: Sequence[str], pictures: NDArray[np.uint8], limit: float
) -> LayerReport:
    """Compare an artifact that takes raw bytes with the core in float, on uint8 `pictures` [n, h, w, depth]."""
    reference = float_core(source)
    pairs = list(_matched(_steps(reference), _steps(data)))
    names = _Names(layers, source)
    measures = [
        Measure(names.of(theirs.name), ours.operator, ours.scale, -1, tuple(map(names.of, theirs.reads)))
        for theirs, ours in pairs
    ]
    exact, judged = _interpreter(reference), _interpreter(data)
    for picture in pictures:
        _run(exact, _as_taken(exact, picture, source.normalization))
        _run(judged, _as_taken(judged, picture, source.normalization))
        for measure, (theirs, ours) in zip(measures, pairs, strict=True):
            measure.add(exact.get_tensor(theirs.tensor), _real(judged.get_tensor(ours.tensor), ours))
    return report(measures, limit)


class _Names:
    """From a tensor's name to its Keras layer's; the last one bears the name of the output instead."""

    def __init__(self, layers: Sequence[str], source: KerasSource) -> None:
        self._layers = layers
        self._last: str = source.core.outputs[0]._keras_history.operation.name

    def of(self, tensor: str) -> str:
        """The layer."""
        return self._last if tensor.startswith("StatefulPartitionedCall") else layer_of(tensor.split(";"), self._layers)


def float_core(source: KerasSource) -> bytes:
    """The core as a float32 `.tflite` file, without anything in front or behind."""
    import keras
    import tensorflow as tf

    pixels = keras.Input(source.shape, batch_size=1, dtype="float32", name="image")
    data: bytes = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, source.core(pixels))).convert()
    return data


def _steps(data: bytes) -> list[_Step]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    graph, found = model.subgraphs[0], []
    makers: dict[int, str] = {}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "?")
        index = int(operator.outputs[0])
        reads = tuple(makers[int(taken)] for taken in operator.inputs if int(taken) in makers)
        if name in MOVERS:
            makers[index] = reads[0] if reads else ""
            continue
        tensor = graph.tensors[index]
        quantization = tensor.quantization
        scales = [] if quantization is None or quantization.scale is None else list(quantization.scale)
        scale = float(scales[0]) if len(scales) == 1 and tensor.type != schema.TensorType.FLOAT32 else None
        zero = int(quantization.zeroPoint[0]) if scale is not None else 0
        shape = tuple(int(size) for size in tensor.shape)
        makers[index] = (tensor.name or b"").decode(errors="replace")
        found.append(_Step(name, index, makers[index], shape, scale, zero, reads))
    return found


def _matched(reference: Sequence[_Step], judged: Sequence[_Step]) -> Iterator[tuple[_Step, _Step]]:
    """Operators that do the same, in order: names hold a counter of the process, so kind and shape decide."""
    theirs, ours = ([(step.operator, step.shape) for step in steps] for steps in (reference, judged))
    for block in SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks():
        for place in range(block.size):
            yield reference[block.a + place], judged[block.b + place]


def _interpreter(data: bytes) -> Any:
    """Keeps every tensor; without XNNPACK, which keeps what is inside its part to itself."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return interpreter


def _as_taken(interpreter: Any, picture: NDArray[np.uint8], normalization: Normalization) -> NDArray[Any]:
    if interpreter.get_input_details()[0]["dtype"] == np.uint8:
        return picture[np.newaxis]
    scale, offset = np.float32(normalization.scale), np.float32(normalization.offset)
    return np.asarray(picture[np.newaxis].astype(np.float32) * scale + offset)


def _run(interpreter: Any, tensor: NDArray[Any]) -> None:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()


def _real(values: NDArray[Any], step: _Step) -> NDArray[Any]:
    return values if step.scale is None else (values.astype(np.float64) - step.zero_point) * step.scale
