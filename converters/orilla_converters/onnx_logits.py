"""The logits of a quantized ONNX graph as its last operator computes them, before they are rounded to 256 values."""

from __future__ import annotations

from typing import Any


def unrounded(graph: Any, logits: str) -> str:
    """Take the last pair of QuantizeLinear and DequantizeLinear away; gives the name of the logits in front of it.

    With 256 values for 1,000 classes the places behind the first are ties. The engine's kernel of the last product
    accumulates in 32 bits and gives real numbers as readily as bytes: the pair saves neither time nor space.
    """
    makers = {name: node for node in graph.node for name in node.output}
    back = makers.get(logits)
    if back is None or back.op_type != "DequantizeLinear":
        return logits
    there = makers.get(back.input[0])
    readers = [node for node in graph.node if {logits, back.input[0]} & set(node.input)]
    if there is None or there.op_type != "QuantizeLinear" or readers != [back]:
        return logits
    fine: str = there.input[0]
    for node in (back, there):
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    return fine
