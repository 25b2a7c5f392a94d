"""Names for the nodes that ONNX Runtime fused and tf2onnx made: each gets that of the layer that it comes from.

They have none, or `Conv__15`; a report that says `Conv_4` helps nobody, and no recipe could keep that node in float.
"""

from __future__ import annotations

from typing import Any


def name_fused(clean: Any, raw: Any) -> None:
    """Name every such node of the graph `clean` after the node of its kind, in `raw`, behind the same tensor."""
    makers = {name: node for node in raw.node for name in node.output}
    for node in clean.node:
        if _is_named(node) or not node.output:
            continue
        origin = makers.get(node.output[0])
        while origin is not None and origin.op_type != node.op_type:
            behind = [makers[name] for name in origin.input if name in makers and makers[name].op_type != "Constant"]
            origin = behind[0] if len(behind) == 1 else None
        node.name = node.output[0] if origin is None else _own_name(origin, makers)


def _is_named(node: Any) -> bool:
    return bool(node.name) and not node.name.startswith(f"{node.op_type}__")


def _own_name(node: Any, makers: dict[str, Any]) -> str:
    """The node's name, or what its kernel's or bias' name says: `net/dw1/Squeeze:0` belongs to `net/dw1`."""
    if _is_named(node):
        return str(node.name)
    said = [name for name in node.input if name not in makers and "/" in name]
    return f"{said[0].rpartition('/')[0]}/{node.op_type}" if said else str(node.output[0])
