"""Finds the normalization at the beginning of a frozen TensorFlow graph: what is done to each pixel before all else.

A quantized input says it by its scale and zero point; left inside, it costs two operators and about 1 dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PASSING = ("Identity", "Cast")


@dataclass(frozen=True, slots=True)
class Front:
    """`tensor`, by name, is `pixel * scale + offset` in float32."""

    tensor: str
    scale: float
    offset: float


def front_of(graph_def: Any, image: str) -> Front | None:
    """The longest chain of sums and products with plain numbers behind the tensor `image`; None where there is none.

    Casts to another type are passed over where a pixel is one still: a whole number from 0 to 255 in any type.
    """
    import tensorflow as tf

    constants = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"}
    here, scale, offset = image.partition(":")[0], 1.0, 0.0
    found: Front | None = None
    while True:
        readers = [node for node in graph_def.node if here in map(_source, node.input)]
        if len(readers) != 1:
            return found
        (node,) = readers
        step = (1.0, 0.0) if node.op in _PASSING else _step(node, here, constants)
        if step is None or (not _is_float32(node) and (scale, offset) != (1.0, 0.0)):
            return found
        scale, offset = scale * step[0], offset * step[0] + step[1]
        here = node.name
        if _is_float32(node):
            found = Front(f"{here}:0", scale, offset)


def _source(given: str) -> str:
    """The node that a value comes from; one that is only waited for (`^name`) gives none."""
    return given.partition(":")[0]


def _is_float32(node: Any) -> bool:
    import tensorflow as tf

    given = node.attr["DstT" if node.op == "Cast" else "T"].type
    return bool(given == tf.float32.as_datatype_enum)


def _step(node: Any, here: str, constants: dict[str, Any]) -> tuple[float, float] | None:
    """The factor and the summand of one operator; None where it is another, or of more than one number."""
    names = [_source(given) for given in node.input]
    if len(names) != 2 or names.count(here) != 1:
        return None
    place = names.index(here)
    value = constants.get(names[1 - place])
    if value is None or value.size != 1 or value.ndim > 1:
        return None
    number = float(value.reshape(()))
    if node.op == "Mul":
        return number, 0.0
    if node.op == "RealDiv" and place == 0 and number:
        return 1 / number, 0.0
    if node.op in {"Add", "AddV2"}:
        return 1.0, number
    if node.op == "Sub":
        return (1.0, -number) if place == 0 else (-1.0, number)
    return None
