"""Opens a SavedModel or a subclassed model with any inputs and outputs: its frozen graph is taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orilla_converters.compat import layer_of, pruned
from orilla_converters.frozen_source import before_softmax, traced
from orilla_converters.graph_front import front_of
from orilla_converters.normalization import Normalization
from orilla_converters.ports import InputPort, OutputPort, single
from orilla_converters.raw.source import Opened, RawSource, assembled, closed_shape, is_picture, require_float
from orilla_converters.structure import plain_names
from orilla_converters.traceable import Traceable


def opened_graph(model: Traceable, parameters: Mapping[str, Any], path: Path) -> RawSource:
    """The parts of a traceable model. Raises as `raw.source`'s functions."""
    import keras
    import tensorflow as tf

    taken = plain_names(list(model.taken))
    inputs = [
        InputPort(name, closed_shape(_sides(spec), name, path))
        for name, spec in zip(taken, model.taken.values(), strict=True)
    ]
    for port, spec in zip(inputs, model.taken.values(), strict=True):
        require_float(spec.dtype.name, port.name, port.shape, path)
    named: list[str] = []

    def call(*tensors: Any) -> list[Any]:
        casts = (tf.cast(one, spec.dtype) for one, spec in zip(tensors, model.taken.values(), strict=True))
        found = model.call(dict(zip(model.taken, casts, strict=True)))
        named[:] = found
        return [tf.identity(one) for one in found.values()]

    specs = [
        tf.TensorSpec(spec.shape, tf.float32, name=f"input_{place}") for place, spec in enumerate(model.taken.values())
    ]
    frozen = traced(call, specs, path)
    graph = frozen.graph.as_graph_def()
    starts, ends = [one.name for one in frozen.inputs], [one.name for one in frozen.outputs]
    outputs, fronts = [], []
    for name, one in zip(plain_names(named, taken), frozen.outputs, strict=True):
        outputs.append(
            OutputPort(name, closed_shape(_sides(one), name, path), before_softmax(graph, one.name) is not None)
        )
    for port, start in zip(inputs, starts, strict=True):
        fronts.append(front_of(graph, start) if is_picture(port.shape) else None)
    logits = [before_softmax(graph, end) or end for end in ends]

    def between(first: Sequence[str], last: Sequence[str]) -> Any:
        symbols = [keras.Input(port.shape, name=port.name) for port in inputs]
        return keras.Model(single(symbols), layer_of(pruned(graph, first, last))(*symbols))

    def cut(behind: Sequence[bool]) -> Any:
        return between(
            [
                front.tensor if front is not None and cutting else start
                for start, front, cutting in zip(starts, fronts, behind, strict=True)
            ],
            logits,
        )

    scales = tuple(None if front is None else Normalization(front.scale, front.offset) for front in fronts)
    whole = between(starts, ends)
    return assembled(Opened(whole, cut, tuple(inputs), scales, tuple(outputs), rescales=False), parameters, path)


def _sides(tensor: Any) -> list[int | None]:
    rank = tensor.shape.rank
    return [] if rank is None else list(tensor.shape)
