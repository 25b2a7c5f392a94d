"""Models without layers to look at, a SavedModel or a subclassed Keras model: the frozen graph is taken apart instead.

The graph's constants and operators are all that is left; where it ends in a softmax, the core ends before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.compat import frozen_function, layer_of, pruned
from orilla_converters.graph_front import front_of
from orilla_converters.ports import NoClassifierError
from orilla_converters.traceable import Traceable, traceable_saved_model, traceable_subclassed
from orilla_runtime.errors import ConversionError, OrillaError

_PASSING = ("Identity",)
_VARIABLES = ("VarHandleOp", "ReadVariableOp", "MutableHashTableV2", "HashTableV2")


@dataclass(frozen=True, slots=True)
class FrozenParts:
    """Keras models of one frozen layer. `core` gives logits where `ends_in_softmax`, else it is `model`.

    `behind`: as `core`, for pixels that are normalized already by `front`, a scale and an offset, as the graph does it;
    None where it does not.
    """

    model: Any
    core: Any
    ends_in_softmax: bool
    ends_in: str
    behind: Any = None
    front: tuple[float, float] = (1.0, 0.0)


def parts_of_saved_model(path: Path) -> FrozenParts:
    """Open a SavedModel folder.

    Raises:
        NoClassifierError: its signature does not have one input and one output.
        ConversionError: not such a folder, no signature to serve, or sizes that are open.
    """
    return _parts_of_one(traceable_saved_model(path), path)


def parts_of_subclassed(model: Any, path: Path) -> FrozenParts:
    """A Keras model without a graph of layers; it was called before it was saved. Raises as `parts_of_saved_model`."""
    return _parts_of_one(traceable_subclassed(model, path), path)


def _parts_of_one(model: Traceable, path: Path) -> FrozenParts:
    def require_one(tensors: Mapping[str, Any], what: str) -> None:
        if len(tensors) != 1:
            raise NoClassifierError(f"{path} has {len(tensors)} {what}.", "Convert a model with one of each.")

    require_one(model.taken, "inputs")
    ((name, spec),) = model.taken.items()

    def call(pixels: Any) -> Any:
        given = model.call({name: pixels})
        require_one(given, "outputs")
        return next(iter(given.values()))

    return _parts(call, spec, path)


def _parts(call: Any, spec: Any, path: Path) -> FrozenParts:
    import keras
    import tensorflow as tf

    require_dtype(spec, path)
    frozen = traced(lambda x: tf.identity(call(tf.cast(x, spec.dtype))), [_open_spec(spec)], path)
    image = keras.Input(tuple(spec.shape)[1:], name="image")
    given, scores = frozen.inputs[0].name, frozen.outputs[0].name
    graph = frozen.graph.as_graph_def()

    def between(first: str, last: str) -> Any:
        return keras.Model(image, layer_of(pruned(graph, [first], [last]))(image))

    logits = before_softmax(graph, scores)
    last = last_operator(graph, scores).op
    whole = between(given, scores)
    core = whole if logits is None else between(given, logits)
    front = front_of(graph, given)
    if front is None:
        return FrozenParts(whole, core, logits is not None, last)
    behind = between(front.tensor, logits or scores)
    return FrozenParts(whole, core, logits is not None, last, behind, (front.scale, front.offset))


def _open_spec(spec: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, tf.float32, name="image")


def require_dtype(spec: Any, path: Path) -> None:
    """Refuse what is neither pixels nor real numbers."""
    import tensorflow as tf

    if spec.dtype not in {tf.float32, tf.uint8}:
        raise ConversionError(f"{path} takes {spec.dtype.name}.", "Orilla converts models that take float32 or uint8.")


def traced(call: Callable[..., Any], specs: Sequence[Any], path: Path) -> Any:
    """The frozen function of `call`, with neither state nor arithmetic in 16 bits.

    Raises:
        ConversionError: it cannot be traced, or has one of the two.
    """
    try:
        frozen = frozen_function(call, specs)
    except OrillaError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise ConversionError(f"{path} cannot be traced: {text}.", "Export the model again.") from error
    _require_plain(frozen, path)
    return frozen


def _require_plain(frozen: Any, path: Path) -> None:
    """Neither variables that nothing sets, which give NaN in TFLite, nor arithmetic in 16 bits."""
    import tensorflow as tf

    graph = frozen.graph.as_graph_def()
    held = sorted({node.op for node in graph.node if node.op in _VARIABLES})
    if held:
        raise ConversionError(f"{path} keeps a state ({', '.join(held)}).", "Orilla converts models without one.")
    types = {attribute.type for node in graph.node for attribute in node.attr.values()}
    if types & {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}:
        raise ConversionError(
            f"{path} computes in 16 bits.", "Build it with the dtype policy float32, or give it as a .keras file."
        )


def last_operator(graph: Any, tensor: str) -> Any:
    """The node that computes a tensor of a frozen graph."""
    nodes = {node.name: node for node in graph.node}
    node = nodes[tensor.partition(":")[0]]
    while node.op in _PASSING:
        node = nodes[node.input[0].partition(":")[0]]
    return node


def before_softmax(graph: Any, tensor: str) -> str | None:
    """The name of the tensor that the last softmax takes, where nothing stands between it and `tensor`."""
    node = last_operator(graph, tensor)
    if node.op != "Softmax":
        return None
    name: str = node.input[0]
    return name if ":" in name else f"{name}:0"
