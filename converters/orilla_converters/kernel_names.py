"""Names for convolutions that tf2onnx made anew when it folded a normalization into them: `Conv__23` becomes its layer.

A folded kernel is the layer's own but for one factor a channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.layer_names import is_numbered

_ALIKE = 1 - 1e-4


def name_by_kernels(graph: Any, core: Any) -> None:
    """Name the convolutions of an ONNX graph that no scope names after the layers of `core` that have their kernels."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    layers = {layer.name for layer in core._flatten_layers()}
    words = {word for node in graph.node for word in node.name.split("/")}
    ending = "_1" if is_numbered(words, layers) else ""
    kernels = {
        layer.name: np.transpose(np.asarray(layer.kernel), (3, 2, 0, 1))
        for layer in core._flatten_layers()
        if len(getattr(getattr(layer, "kernel", None), "shape", ())) == 4
    }
    for node in graph.node:
        if node.op_type == "Conv" and "/" not in node.name and node.input[1] in constants:
            found = numpy_helper.to_array(constants[node.input[1]])
            name = next((name for name, kernel in kernels.items() if _are_alike(found, kernel)), None)
            if name is not None:
                del kernels[name]
                node.name = f"{core.name}/{name}{ending}/folded"


def _are_alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    rows = [array.reshape(len(array), -1).astype(np.float64) for array in (one, other)]
    lengths = [np.linalg.norm(row, axis=1) for row in rows]
    alive = (lengths[0] > 1e-12) & (lengths[1] > 1e-12)
    cosine = np.abs((rows[0] * rows[1]).sum(axis=1)[alive]) / (lengths[0] * lengths[1])[alive]
    return bool(alive.any() and cosine.min() > _ALIKE)
