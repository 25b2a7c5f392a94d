"""Lets an int8 `.tflite` file give its logits in float: in 256 steps the best of 1,000 are ties.

    features int8 → FULLY_CONNECTED → int8 → DEQUANTIZE → SOFTMAX            as TFLite writes it
    features int8 → DEQUANTIZE → FULLY_CONNECTED (weights int8 → DEQUANTIZE) → SOFTMAX

The weights stay in the file as they are, in 8 bits; an interpreter makes them real numbers once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orilla_converters.tflite_file import FLOAT32, INT8, packed

HEADS = ("FULLY_CONNECTED", "CONV_2D")
PER_CHANNEL = 5
"""The version of DEQUANTIZE that knows a scale for each channel."""


def with_float_logits(data: bytes) -> bytes:
    """The same file with every softmax fed in float; unchanged where no int8 operator of `HEADS` stands behind one."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    head = _Head(schema, model)
    ends = [operator for operator in head.graph.operators if set(operator.outputs) & set(head.graph.outputs)]
    changed = [head.put_in_float(operator) for operator in ends if head.name(operator) == "SOFTMAX"]
    return packed(model) if any(changed) else data


class _Head:
    """The graph of one model, changed in place."""

    def __init__(self, schema: Any, model: Any) -> None:
        self._schema, self._model, self.graph = schema, model, model.subgraphs[0]
        builtins = vars(schema.BuiltinOperator).items()
        self._names: dict[int, str] = {value: name for name, value in builtins if isinstance(value, int)}

    def name(self, operator: Any) -> str:
        """What the operator is."""
        code = self._model.operatorCodes[operator.opcodeIndex]
        return self._names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")

    def put_in_float(self, softmax: Any) -> bool:
        """Whether the operator that feeds this softmax could be changed, and was."""
        made = {int(index): operator for operator in self.graph.operators for index in operator.outputs}
        back = made.get(int(softmax.inputs[0]))
        if back is None or self.name(back) != "DEQUANTIZE":
            return False
        movers, last = [], made.get(int(back.inputs[0]))
        while last is not None and self.name(last) == "RESHAPE":
            movers.append(last)
            last = made.get(int(last.inputs[0]))
        if last is None or self.name(last) not in HEADS or not self._takes_int8(last):
            return False
        taken, weights, *bias = (int(index) for index in last.inputs)
        place = next(place for place, operator in enumerate(self.graph.operators) if operator is last)
        last.inputs = [self._dequantized(taken, place), self._dequantized(weights, place), *map(self._real, bias)]
        for operator in (last, *movers):
            tensor = self.graph.tensors[int(operator.outputs[0])]
            tensor.type, tensor.quantization = FLOAT32, None
        softmax.inputs = [int(back.inputs[0])]
        self.graph.operators = [operator for operator in self.graph.operators if operator is not back]
        return True

    def _takes_int8(self, operator: Any) -> bool:
        types = [self.graph.tensors[int(index)].type for index in operator.inputs[:2]]
        readers = [other for other in self.graph.operators if int(operator.outputs[0]) in map(int, other.inputs)]
        return types == [INT8, INT8] and len(readers) == 1

    def _dequantized(self, index: int, place: int) -> int:
        """A float tensor that an operator at `place` makes of the int8 one."""
        code, operator = self._schema.OperatorCodeT(), self._schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = self._schema.BuiltinOperator.DEQUANTIZE
        code.version = PER_CHANNEL
        self._model.operatorCodes.append(code)
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = [index], [self._tensor(index, b"")]
        self.graph.operators.insert(place, operator)
        return int(operator.outputs[0])

    def _real(self, index: int) -> int:
        """The int32 bias as a float constant; -1 where there is none."""
        if index < 0:
            return index
        tensor = self.graph.tensors[index]
        levels = np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), np.int32)
        values = (levels * np.asarray(tensor.quantization.scale, np.float64)).astype(np.float32)
        return self._tensor(index, values.tobytes())

    def _tensor(self, like: int, data: bytes) -> int:
        """A new float tensor of the same shape, a constant where there is data."""
        old, new, buffer = self.graph.tensors[like], self._schema.TensorT(), self._schema.BufferT()
        buffer.data = list(data) if data else None
        self._model.buffers.append(buffer)
        new.shape, new.shapeSignature = list(old.shape), old.shapeSignature
        new.type, new.buffer, new.name = FLOAT32, len(self._model.buffers) - 1, (old.name or b"") + b"/float"
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1
