"""An engine outside Orilla's tree: it runs ONNX files that hold ReduceMean, MatMul, Add and Softmax, in plain numpy.

Install it beside Orilla (`pip install ./samples/05_own_engine`), then:

    orilla doctor                                    # numpy: ran a model on cpu
    orilla run model.onnx photos/ --engine numpy

A real one would wrap a chip maker's runtime; what Orilla asks of it is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from orilla_runtime.engines.base import Availability, EngineOptions
from orilla_runtime.engines.checks import checked, thread_count
from orilla_runtime.errors import EngineError, ModelError, OrillaError
from orilla_runtime.formats.onnx import read_onnx

Array = NDArray[Any]


def _softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


OPERATORS: dict[str, Callable[..., Array]] = {
    "Cast": lambda x, **_: x.astype(np.float32),
    "ReduceMean": lambda x, axes, **_: x.mean(axis=tuple(axes)),
    "MatMul": lambda a, b, **_: a @ b,
    "Add": lambda a, b, **_: a + b,
    "Softmax": lambda x, **_: _softmax(x),
}


class NumpyEngine:
    """What Orilla asks of an engine: a name, the formats, whether it works here, and a session of a model's bytes."""

    name = "numpy"
    formats = frozenset({"onnx"})

    def availability(self) -> Availability:
        """Ran a model, or says why it cannot: `orilla doctor` shows it."""
        node = onnx.helper.make_node("Add", ["x", "x"], ["y"])
        port = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
        probe = onnx.helper.make_model(onnx.helper.make_graph([node], "probe", port[:1], port[1:]))
        try:
            (found,) = self.load(probe.SerializeToString(), EngineOptions()).run(np.array([2.0], np.float32))
        except OrillaError as error:
            return Availability((), reason=error.message, remedy=error.remedy)
        return Availability(("cpu",) if found[0] == 4 else (), np.__version__)

    def load(self, model: bytes, options: EngineOptions) -> Session:
        """ModelError for a file it does not run, EngineError for a device it lacks: never another one in silence."""
        if options.device not in {"auto", "cpu"}:
            raise EngineError(f"The numpy engine has no device {options.device!r}.", "Use --device cpu.")
        thread_count(options)  # refuses impossible numbers; numpy has its own threads
        return Session(model)


class Session:
    """One open model. `inputs` and `outputs` are what the file says, and `run` keeps their order."""

    device = "cpu"

    def __init__(self, model: bytes) -> None:
        file = read_onnx(model)  # Orilla's reader checks the structure first
        unknown = sorted(set(file.operators) - set(OPERATORS))
        if unknown:
            raise ModelError(f"The numpy engine does not know {', '.join(unknown)}.", "Use --engine onnxruntime.")
        self.inputs, self.outputs = file.inputs, file.outputs
        graph = onnx.load_from_string(model).graph
        self._nodes = list(graph.node)
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def run(self, *tensors: Array) -> tuple[Array, ...]:
        """Refuses wrong shapes and types by name (`checked`), and gives the outputs as arrays of its own."""
        values = dict(self._constants)
        values |= {spec.name: tensor for spec, tensor in zip(self.inputs, checked(tensors, self.inputs), strict=True)}
        for node in self._nodes:
            settings = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            values[node.output[0]] = OPERATORS[node.op_type](*(values[name] for name in node.input), **settings)
        return tuple(np.array(values[spec.name]) for spec in self.outputs)

    def close(self) -> None:
        """Release what the session holds; may be called twice."""
        self._nodes.clear()
