"""Every workaround for an upstream bug, and every use of something private, with the versions that it was needed for.

Nothing outside this file touches a private name of tf2onnx or changes a global switch of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from orilla_runtime.errors import ConversionError

TF2ONNX = "1.17.0"
"""`_convert_common` is private and its arguments have changed before: this version and no other."""
OPSET = 18
"""The newest that tf2onnx 1.17.0 writes; its own default under Keras is 15."""


def require_tf2onnx() -> None:
    """Refuse another tf2onnx than the one that this file was written for."""
    try:
        found = version("tf2onnx")
    except PackageNotFoundError:
        found = "none"
    if found != TF2ONNX:
        raise ConversionError(
            f"Writing ONNX needs tf2onnx {TF2ONNX}; installed: {found}.", f"pip install 'tf2onnx=={TF2ONNX}'"
        )


@contextmanager
def eager_functions() -> Iterator[None]:
    """While a model is traced, inner `tf.function`s run eagerly.

    keras 3.0 to 3.15 wraps grouped convolutions in `tf.function(jit_compile=True)`, which is never inlined:
    tf2onnx then copies a `StatefulPartitionedCall` into the file as if it were an ONNX operator.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def frozen_function(call: Callable[..., Any], specs: Sequence[Any]) -> Any:
    """`call` traced and with its variables as constants, a TensorFlow concrete function.

    tf2onnx 1.16 and 1.17 take tensors that Keras captured by value for inputs of the model: after freezing there are
    none (keras `Normalization`, and EfficientNetB0 with it).
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    traced = traced_function(call, specs)
    return convert_variables_to_constants_v2(traced, lower_control_flow=False, aggressive_inlining=True)


def traced_function(call: Callable[..., Any], specs: Sequence[Any]) -> Any:
    """`call` traced, a TensorFlow concrete function that still has its variables."""
    import tensorflow as tf

    with eager_functions():
        return tf.function(call, autograph=False).get_concrete_function(*specs)


def onnx_from_frozen(frozen: Any, name: str, inputs: dict[str, str], outputs: dict[str, str]) -> Any:
    """The ONNX model (opset 18) of a frozen function; `inputs` and `outputs` rename its tensors.

    `continue_on_error=False`: the public routes of tf2onnx 1.17.0 write an operator that they do not know into the
    file under its TensorFlow name.

    Raises:
        ConversionError: an operator that tf2onnx does not know.
    """
    import tensorflow as tf
    from tf2onnx import tf_loader
    from tf2onnx.convert import _convert_common

    require_tf2onnx()
    _know_erfc()
    graph_def = tf_loader.fix_freezing_errors_part2(frozen.graph.as_graph_def(add_shapes=True))
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        graph_def = tf_loader.tf_optimize(list(inputs), list(outputs), graph_def)
    with tf.device("/cpu:0"):
        try:
            model, _ = _convert_common(
                graph_def,
                name=name,
                continue_on_error=False,
                opset=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                tensors_to_rename=inputs | outputs,
            )
        except (ValueError, NotImplementedError, KeyError) as error:
            text = " ".join(str(error).split())[:200]
            raise ConversionError(
                f"ONNX has no operator for a part of this model: {text}.", "Convert to TFLite, or change that layer."
            ) from error
    return model


def _know_erfc() -> None:
    """tf2onnx up to 1.17.0 has no handler for `Erfc`, which every exact GELU uses."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            """1 - Erf(x)."""
            source, shapes, types = node.input[0], node.output_shapes, node.output_dtypes
            name, output = node.name, node.output[0]
            ctx.remove_node(name)
            one = ctx.make_const(f"{name}_one", _float_one())
            erf = ctx.make_node("Erf", [source], shapes=shapes, dtypes=types, name=f"{name}_erf")
            ctx.make_node(
                "Sub", [one.output[0], erf.output[0]], outputs=[output], shapes=shapes, dtypes=types, name=name
            )


def _float_one() -> Any:
    import numpy as np

    return np.array(1.0, np.float32)


def keep_paddings(graph: Any) -> None:
    """Name all axes of each padding with zeros that a MaxPool reads, in an ONNX graph of opset 18.

    onnxruntime up to 1.31 moves such a padding into the MaxPool, which pads with the least number: negative values
    near the border, as ResNet50V2 has them, then win over the zeros. It leaves a Pad alone that has axes; where these
    are not all, it takes the widths for those of all when it moves a Transpose. Behind a Relu both are the same.
    """
    import numpy as np
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type != "Pad" or len(node.input) > 3 or node.input[1] not in constants:
            continue
        before, behind = made.get(node.input[0]), _readers_behind_transposes(graph, node.output[0])
        if "MaxPool" not in behind or (before is not None and before.op_type == "Relu"):
            continue
        rank = numpy_helper.to_array(constants[node.input[1]]).size // 2
        axes = f"{node.name}/axes"
        graph.initializer.append(numpy_helper.from_array(np.arange(rank, dtype=np.int64), axes))
        node.input[:] = [*node.input[:2], node.input[2] if len(node.input) == 3 else "", axes]


def _readers_behind_transposes(graph: Any, name: str) -> set[str]:
    readers = [node for node in graph.node if name in node.input]
    found = {node.op_type for node in readers}
    for node in readers:
        if node.op_type == "Transpose":
            found |= _readers_behind_transposes(graph, node.output[0])
    return found


def is_graph(layer: Any) -> bool:
    """Whether a layer is a functional or sequential model, whose calls can be listed."""
    return hasattr(getattr(layer, "_functional", layer), "_nodes_by_depth")


def nodes_in_order(model: Any) -> list[Any]:
    """The calls that make up a functional or sequential Keras 3 model, each after those that feed it, inputs left out.

    Keras keeps them in `_nodes_by_depth`, deepest first; it has no public list. A sequential model holds a functional
    one (keras 3.0 to 3.15).
    """
    model = getattr(model, "_functional", model)
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    return [node for node in nodes if not node.is_input]


def calibrated_only(converter: Any) -> bytes:
    """The float `.tflite` file with the ranges of its tensors; `converter` has its representative dataset.

    Experimental in TensorFlow 2.20 and 2.21: there is no public way to quantize a part of a model.
    """
    converter._experimental_calibrate_only = True
    data: bytes = converter.convert()
    return data


def quantized_but(calibrated: bytes, nodes: Sequence[str]) -> bytes:
    """A calibrated file with everything in int8 but the operators whose first output is named in `nodes`.

    `mlir_quantize` is what TensorFlow's own QuantizationDebugger calls (2.20 and 2.21).
    """
    from tensorflow.lite.python.convert import mlir_quantize

    data: bytes = mlir_quantize(calibrated, denylisted_nodes=list(nodes))
    return data


def keras2_classes() -> dict[str, Any]:
    """Classes for `.h5` files of Keras 2, under the names that stand in them.

    Keras 2 wrote into the configuration of a convolution what its class inherited and never used: `groups: 1`, and of
    a separable one a `kernel_initializer` besides those of its two kernels. keras 3.0 to 3.15 refuse such arguments.
    """
    import keras

    kernel = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
    unused = {"DepthwiseConv2D": (), "Conv2DTranspose": (), "SeparableConv2D": kernel}
    return {name: _without(getattr(keras.layers, name), ("groups", *more)) for name, more in unused.items()}


def _without(layer: Any, unused: Sequence[str]) -> Any:
    """What makes a Keras layer of a configuration that holds `unused` arguments."""

    class Plain(layer):  # type: ignore[misc]
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            """A layer of Keras 3."""
            return layer.from_config({key: value for key, value in config.items() if key not in unused})

    return Plain


def layer_of(function: Any) -> Any:
    """A Keras layer that calls a TensorFlow function whose weights are constants."""
    import keras

    class Frozen(keras.layers.Layer):  # type: ignore[misc]
        def call(self, *tensors: Any) -> Any:
            """What the function gives."""
            return function(*tensors)

    return Frozen(name="frozen")


def unordered(graph_def: Any) -> Any:
    """A copy of a frozen graph without the inputs that a node only waits for.

    Nothing in it has a state, and TensorFlow's `prune` would follow them past the inputs that it was given.
    """
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    for node in copy.node:
        node.input[:] = [name for name in node.input if not name.startswith("^")]
    return copy


def pruned(graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of a frozen graph between these tensors, by name, as a function.

    Its variables are constants: `TFLiteConverter` writes files that give NaN for functions with variables alone.
    """
    import tensorflow as tf

    loose = unordered(graph_def)
    whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(loose, name=""), [])
    element = whole.graph.as_graph_element
    fetched = [element(name) for name in outputs]
    return whole.prune([element(name) for name in inputs], fetched if len(fetched) > 1 else fetched[0])
