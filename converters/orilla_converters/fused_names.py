"""Names for the nodes that ONNX Runtime fused: each keeps that of the convolution that it was before.

A fused node has no name, and a report that says `Conv_4` helps nobody.
"""

from __future__ import annotations

from typing import Any


def name_fused(clean: Any, raw: Any) -> None:
    """Name every nameless node of the graph `clean` after the node of its kind, in `raw`, behind the same tensor."""
    makers = {name: node for node in raw.node for name in node.output}
    for node in clean.node:
        if node.name or not node.output:
            continue
        origin = makers.get(node.output[0])
        while origin is not None and origin.op_type != node.op_type:
            behind = [makers[name] for name in origin.input if name in makers and makers[name].op_type != "Constant"]
            origin = behind[0] if len(behind) == 1 else None
        node.name = node.output[0] if origin is None else origin.name
