"""Models without layers to look at, a SavedModel or a subclassed Keras model: the frozen graph is taken apart instead.

The graph's constants and operators are all that is left; where it ends in a softmax, the core ends before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.compat import frozen_function, layer_of, pruned
from orilla_converters.graph_front import front_of
from orilla_runtime.errors import ConversionError, OrillaError

SIGNATURES = ("serve", "serving_default")
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
    behind: Any = None
    front: tuple[float, float] = (1.0, 0.0)


def parts_of_saved_model(path: Path) -> FrozenParts:
    """Open a SavedModel folder.

    Raises:
        ConversionError: not such a folder, no signature of one input and one output, or sizes that are open.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise ConversionError(f"{path} cannot be opened as a SavedModel: {text}.", "Export the model again.") from error
    signature = next((loaded.signatures[name] for name in SIGNATURES if name in loaded.signatures), None)
    if signature is None:
        known = ", ".join(sorted(loaded.signatures)) or "none"
        raise ConversionError(
            f"{path} has no signature to serve (it has {known}).", "Export with model.export(FOLDER)."
        )
    taken = list(signature.structured_input_signature[1].values())
    if len(taken) != 1 or len(signature.structured_outputs) != 1:
        raise ConversionError(
            f"{path} has {len(taken)} inputs and {len(signature.structured_outputs)} outputs.",
            "Convert a model with one of each.",
        )
    (name,) = signature.structured_input_signature[1]
    (output,) = signature.structured_outputs

    def call(pixels: Any) -> Any:
        return signature(**{name: pixels})[output]

    return _parts(call, taken[0], path)


def parts_of_subclassed(model: Any, path: Path) -> FrozenParts:
    """A Keras model without a graph of layers; it was called before it was saved."""
    import tensorflow as tf

    config: Mapping[str, Any] = model.get_build_config() or {}
    shape = config.get("input_shape")
    if not isinstance(shape, list | tuple) or any(isinstance(side, list | tuple | dict) for side in shape):
        raise ConversionError(
            f"{path} is a model with a call of its own that does not say what it takes.",
            "Call it once before it is saved, or build it as a Functional model.",
        )
    spec = tf.TensorSpec((None, *shape[1:]), tf.float32)
    return _parts(lambda pixels: model(pixels, training=False), spec, path)


def _parts(call: Any, spec: Any, path: Path) -> FrozenParts:
    import keras
    import tensorflow as tf

    if spec.dtype not in {tf.float32, tf.uint8}:
        raise ConversionError(f"{path} takes {spec.dtype.name}.", "Orilla converts models that take float32 or uint8.")
    try:
        frozen = frozen_function(lambda x: tf.identity(call(tf.cast(x, spec.dtype))), [_open_spec(spec)])
    except OrillaError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise ConversionError(f"{path} cannot be traced: {text}.", "Export the model again.") from error
    _require_plain(frozen, path)
    image = keras.Input(tuple(spec.shape)[1:], name="image")
    given, scores = frozen.inputs[0].name, frozen.outputs[0].name
    graph = frozen.graph.as_graph_def()

    def between(first: str, last: str) -> Any:
        return keras.Model(image, layer_of(pruned(graph, [first], [last]))(image))

    logits = _before_softmax(frozen)
    whole = between(given, scores)
    core = whole if logits is None else between(given, logits)
    front = front_of(graph, given)
    if front is None:
        return FrozenParts(whole, core, logits is not None)
    behind = between(front.tensor, logits or scores)
    return FrozenParts(whole, core, logits is not None, behind, (front.scale, front.offset))


def _open_spec(spec: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, tf.float32, name="image")


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


def _before_softmax(frozen: Any) -> str | None:
    """The name of the tensor that the last softmax takes, where nothing stands behind it."""
    nodes = {node.name: node for node in frozen.graph.as_graph_def().node}
    node = nodes[frozen.outputs[0].op.name]
    while node.op in _PASSING:
        node = nodes[node.input[0].partition(":")[0]]
    if node.op != "Softmax":
        return None
    name = node.input[0]
    return name if ":" in name else f"{name}:0"
