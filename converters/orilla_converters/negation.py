"""Takes negations out of a frozen graph: TFLite has no quantized NEG, and each would stay in float between conversions.

Keras writes LayerNormalization as `x * i + (b - m * i)` with `-m` in it, so every vision transformer has some. The
float function stays what it was: -a * b is -(a * b), a + (-b) is a - b, a - (-b) is a + b, all exactly.
"""

from __future__ import annotations

from typing import Any

from orilla_converters.compat import frozen_function, layer_of, pruned, traced_function, unordered

_PRODUCTS = ("Mul", "RealDiv")
_ADDITIONS = ("Add", "AddV2")
_GELU = "Erfc"
"""The exact GELU is x * erfc(-x / sqrt(2)) / 2, which the converter knows as a whole: that negation vanishes in it."""


def without_negations(core: Any, given: Any) -> Any:
    """What the Keras model `core` gives for symbolic tensors, computed without negations.

    given: one tensor, or the structure that `core` takes; several outputs come as a list.

    A model that has none, which is nearly every one without LayerNormalization, is called as it is.
    """
    import keras
    import tensorflow as tf

    tensors = keras.tree.flatten(given)
    specs = [tf.TensorSpec(one.shape, one.dtype, name=f"input_{place}") for place, one in enumerate(tensors)]

    def call(*values: Any) -> list[Any]:
        outputs = core(keras.tree.pack_sequence_as(given, values), training=False)
        return [tf.identity(one) for one in keras.tree.flatten(outputs)]

    if not _has_any(traced_function(call, specs).graph.as_graph_def()):
        return core(given)
    frozen = frozen_function(call, specs)
    graph = frozen.graph.as_graph_def()
    if not _negations(graph):
        return core(given)
    rewritten = without_negation(graph, {one.op.name for one in frozen.outputs})
    names = [one.name for one in frozen.inputs], [one.name for one in frozen.outputs]
    return layer_of(pruned(rewritten, *names))(*tensors)


def _has_any(graph_def: Any) -> bool:
    """Whether a negation stands in a graph or in a function that it calls."""
    called = (node for function in graph_def.library.function for node in function.node_def)
    return any(node.op == "Neg" for nodes in (graph_def.node, called) for node in nodes)


def without_negation(graph_def: Any, kept: set[str]) -> Any:
    """A copy of a frozen TensorFlow graph: products pass negations on, sums take them up, and -1 makes the rest.

    kept: names of nodes whose values are the graph's outputs.
    """
    copy = unordered(graph_def)
    for node in _negations(copy):
        while _moved_behind_a_product(copy, node, kept):
            pass
        _taken_up_by_sums(copy, node)
        if node.name in kept or _readers(copy, node.name):
            _as_a_product(copy, node)
        else:
            copy.node.remove(node)
    return copy


def _negations(graph: Any) -> list[Any]:
    """Those of real numbers, without those that vanish in GELU."""
    import tensorflow as tf

    real = tf.float32.as_datatype_enum
    found = [node for node in graph.node if node.op == "Neg" and node.attr["T"].type == real]
    return [node for node in found if not _ends_in_gelu(graph, node)]


def _ends_in_gelu(graph: Any, node: Any) -> bool:
    readers = _readers(graph, node.name)
    while len(readers) == 1 and readers[0].op in _PRODUCTS:
        readers = _readers(graph, readers[0].name)
    return [reader.op for reader in readers] == [_GELU]


def _readers(graph: Any, name: str) -> list[Any]:
    return [node for node in graph.node if any(_source(given) == name for given in node.input)]


def _source(given: str) -> str:
    return given.partition(":")[0]


def _moved_behind_a_product(graph: Any, negation: Any, kept: set[str]) -> bool:
    """Let the one product that reads what was negated read it as it was, and negate the product; False where none."""
    readers = _readers(graph, negation.name)
    if negation.name in kept or len(readers) != 1 or readers[0].op not in _PRODUCTS or readers[0].name in kept:
        return False
    (product,) = readers
    if [_source(given) for given in product.input].count(negation.name) != 1:
        return False
    after = _readers(graph, product.name)
    _reread(product, negation.name, negation.input[0])
    for reader in after:
        _reread(reader, product.name, negation.name)
    negation.input[0] = product.name
    return True


def _taken_up_by_sums(graph: Any, negation: Any) -> None:
    for reader in _readers(graph, negation.name):
        places = [place for place, given in enumerate(reader.input) if _source(given) == negation.name]
        if reader.op in _ADDITIONS and len(places) == 1:
            other = reader.input[1 - places[0]]
            reader.op = "Sub"
            reader.input[:] = [other, negation.input[0]]
        elif reader.op == "Sub" and places == [1]:
            reader.op = "AddV2"
            reader.input[1] = negation.input[0]


def _as_a_product(graph: Any, negation: Any) -> None:
    import tensorflow as tf

    minus = graph.node.add(name=f"{negation.name}/minus_one", op="Const")
    minus.attr["dtype"].type = negation.attr["T"].type
    minus.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(-1.0, tf.float32))
    negation.op = "Mul"
    negation.input.append(minus.name)


def _reread(node: Any, old: str, new: str) -> None:
    for place, given in enumerate(node.input):
        if _source(given) == old:
            node.input[place] = new
