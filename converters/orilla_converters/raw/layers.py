"""Opens a Keras model of layers with any inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.compat import nodes_in_order
from orilla_converters.flat_graph import augments
from orilla_converters.normalization import Normalization
from orilla_converters.ports import InputPort, OutputPort, single
from orilla_converters.raw.source import Opened, RawSource, assembled, closed_shape, is_picture, require_float
from orilla_converters.structure import leaf_names, plain_names


def opened_layers(model: Any, parameters: Mapping[str, Any], path: Path) -> RawSource:
    """The parts of a Functional or Sequential model. Raises as `raw.source`'s functions."""
    import keras

    taken, given = _names(keras, model)
    inputs = [
        InputPort(name, closed_shape(one.shape, name, path)) for one, name in zip(model.inputs, taken, strict=True)
    ]
    for one, port in zip(model.inputs, inputs, strict=True):
        require_float(str(one.dtype), port.name, port.shape, path)
    whole = keras.Model(single(model.inputs), single(model.outputs))
    copy = keras.models.clone_model(whole)
    copy.set_weights(whole.get_weights())
    nodes = nodes_in_order(copy)
    fronts = [
        _front(nodes, one) if is_picture(port.shape) else None for one, port in zip(copy.inputs, inputs, strict=True)
    ]
    heads = [_head(keras, nodes, one) for one in copy.outputs]
    outputs = [
        OutputPort(name, closed_shape(one.shape, name, path), head is not None)
        for one, name, head in zip(model.outputs, given, heads, strict=True)
    ]
    ends = [one if head is None else head for one, head in zip(copy.outputs, heads, strict=True)]

    def cut(behind: Sequence[bool]) -> Any:
        starts = [
            front[1] if front is not None and cutting else one
            for one, front, cutting in zip(copy.inputs, fronts, behind, strict=True)
        ]
        return keras.Model(single(starts), single(ends))

    scales = tuple(front and front[0] for front in fronts)
    return assembled(Opened(whole, cut, tuple(inputs), scales, tuple(outputs), rescales=True), parameters, path)


def _names(keras: Any, model: Any) -> tuple[list[str], list[str]]:
    """The plain names of the inputs and outputs, in Keras' own flat order; a Sequential has one of each."""
    alone = isinstance(model, keras.Sequential)
    taken, given = (model.inputs, model.outputs) if alone else (model.input, model.output)
    inputs = plain_names(leaf_names(taken, lambda tensor, _place: tensor.name))
    named = leaf_names(given, lambda tensor, _place: tensor._keras_history.operation.name)
    return inputs, plain_names(named, inputs)


def _front(nodes: Sequence[Any], image: Any) -> tuple[Normalization, Any] | None:
    """The scalar Rescaling that alone reads an input, behind nothing but augmentation, and what it gives."""
    import keras

    here = image
    while True:
        readers = _readers(nodes, here)
        if len(readers) != 1:
            return None
        (node,) = readers
        layer = node.operation
        if isinstance(layer, keras.layers.Rescaling):
            plain = np.ndim(layer.scale) == np.ndim(layer.offset) == 0
            return (Normalization(float(layer.scale), float(layer.offset)), node.outputs[0]) if plain else None
        if not augments(layer):
            return None
        here = node.outputs[0]


def _head(keras: Any, nodes: Sequence[Any], output: Any) -> Any:
    """What the softmax takes that gives an output, over the last axis; None where there is none.

    Where the softmax is the activation of a layer with weights, that activation is taken away from the copy.
    """
    history = output._keras_history
    layer = history.operation
    node = layer._inbound_nodes[history.node_index]
    if isinstance(layer, keras.layers.Softmax):
        whole = layer.axis in {-1, len(output.shape) - 1} and len(node.input_tensors) == 1
        return node.input_tensors[0] if whole else None
    if getattr(layer, "activation", None) is not keras.activations.softmax:
        return None
    if isinstance(layer, keras.layers.Activation):
        return node.input_tensors[0]
    if len(layer._inbound_nodes) > 1 or _readers(nodes, output):
        return None
    layer.activation = keras.activations.linear
    return output


def _readers(nodes: Sequence[Any], tensor: Any) -> list[Any]:
    return [node for node in nodes if any(one is tensor for one in node.input_tensors)]
