"""Names for the inputs and outputs of a Keras model, whatever structure they come in: lists, dicts, one in another."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

_STRANGE = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST = 64


def leaf_names(structure: Any, own: Callable[[Any, int], str]) -> list[str]:
    """A name for each leaf, in the order of `keras.tree.flatten`, which sorts the keys of dicts.

    own: the name of a leaf that no dict holds, from the leaf and its place in its list. A leaf in a dict has its key;
    one deeper has all keys and places on the way, joined.
    """
    import keras

    def named(part: Any, way: tuple[str, ...], place: int) -> Any:
        if isinstance(part, Mapping):
            return {key: named(value, (*way, str(key)), 0) for key, value in part.items()}
        if isinstance(part, list | tuple) and not is_shape(part):
            return [named(one, (*way, str(at)) if way else (), at) for at, one in enumerate(part)]
        return "_".join(way) if way else own(part, place)

    names: list[str] = keras.tree.flatten(named(structure, (), 0))
    return names


def is_shape(value: Any) -> bool:
    """A tuple or list of sizes, some of them open: a leaf of a structure of shapes."""
    return isinstance(value, list | tuple) and all(side is None or isinstance(side, int) for side in value)


def plain_names(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """The names in letters, digits and `_`, each once and none of `taken`; a later one of two gets a number."""
    found: list[str] = []
    for name in names:
        plain = _STRANGE.sub("_", name).strip("_")[:_LONGEST] or "tensor"
        free, number = plain, 1
        while free in found or free in taken:
            number += 1
            free = f"{plain}_{number}"
        found.append(free)
    return found
