"""Which nodes of a converted graph came from which Keras layer, by the names that the layers left behind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from orilla_runtime.errors import ConversionError

_SEPARATORS = re.compile(r"[/;:]")
_NUMBERED = re.compile(r"(.+)_\d+")


def nodes_of_layers(nodes: Mapping[str, Collection[str]], wanted: Collection[str], layers: Collection[str]) -> set[str]:
    """The nodes that belong to the layers `wanted`.

    Args:
        nodes: for each node the names that may tell its layer: its own, its outputs', its constants'.
        layers: the names of all layers of the Keras model.

    Raises:
        ConversionError: a layer that the model does not have, or that has no node of its own.
    """
    known = set(layers)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConversionError(
            f"The model has no layer {unknown[0]!r}.", f"Its layers begin with {', '.join(sorted(known)[:6])}."
        )
    owned = layers_of(nodes, known)
    for name in wanted:
        if not any(name in own for own in owned.values()):
            raise ConversionError(
                f"The layer {name!r} has no operator of its own: it went into that of a neighbour.",
                "Name the convolution, dense layer or activation beside it.",
            )
    return {node for node, own in owned.items() if own & set(wanted)}


def layers_of(nodes: Mapping[str, Collection[str]], layers: Collection[str]) -> dict[str, set[str]]:
    """For each node the layers whose names stand in its names."""
    known = set(layers)
    words = {node: {word for name in names for word in _SEPARATORS.split(name)} for node, names in nodes.items()}
    numbered = is_numbered(set().union(*words.values()), known)
    return {node: {_plain(word) if numbered else word for word in own} & known for node, own in words.items()}


def is_numbered(words: Collection[str], layers: Collection[str]) -> bool:
    """Where Keras is traced twice, a number follows every scope: `conv` is then conv_1, and `conv_1` is conv_1_1."""
    return any(word not in layers and _plain(word) in layers for word in words)


def _plain(word: str) -> str:
    match = _NUMBERED.fullmatch(word)
    return match[1] if match else ""
