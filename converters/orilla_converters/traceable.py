"""Models without layers to look at, a SavedModel or a subclassed Keras model, as a call of named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_converters.structure import is_shape, leaf_names, plain_names
from orilla_runtime.errors import ConversionError

SIGNATURES = ("serve", "serving_default")


@dataclass(frozen=True, slots=True)
class Traceable:
    """`call` takes a tensor for each name in `taken`, whose values are tensor specs, and gives tensors by their names.

    The names come in the order of the model's signature.
    """

    call: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    taken: Mapping[str, Any]


def traceable_saved_model(path: Path) -> Traceable:
    """The signature to serve of a SavedModel folder; sorted by name, since a signature keeps no other order.

    Raises:
        ConversionError: not such a folder, or no such signature.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise ConversionError(f"{path} cannot be opened as a SavedModel: {text}.", "Export the model again.") from error
    name = next((name for name in SIGNATURES if name in loaded.signatures), None)
    if name is None:
        known = ", ".join(sorted(loaded.signatures)) or "none"
        raise ConversionError(
            f"{path} has no signature to serve (it has {known}).", "Export with model.export(FOLDER)."
        )

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        # `loaded` is held here on purpose: its variables die with it.
        return dict(sorted(loaded.signatures[name](**tensors).items()))

    return Traceable(call, dict(sorted(loaded.signatures[name].structured_input_signature[1].items())))


def traceable_subclassed(model: Any, path: Path) -> Traceable:
    """The call of a Keras model, for inference, with the shapes that it was built with.

    Raises:
        ConversionError: it was never called.
    """
    import keras
    import tensorflow as tf

    shapes = built_shapes(model)
    if shapes is None:
        raise ConversionError(
            f"{path} is a model with a call of its own that does not say what it takes.",
            "Call it once before it is saved, or build it as a Functional model.",
        )
    names = plain_names(leaf_names(shapes, _numbered("input")))
    specs = map_shapes(shapes, lambda shape: tf.TensorSpec((None, *shape[1:]), tf.float32))

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        given = model(keras.tree.pack_sequence_as(specs, [tensors[name] for name in names]), training=False)
        return dict(zip(leaf_names(given, _numbered("output")), keras.tree.flatten(given), strict=True))

    return Traceable(call, dict(zip(names, keras.tree.flatten(specs), strict=True)))


def built_shapes(model: Any) -> Any:
    """The shapes that a model was built with, in the structure that its call takes; None where it was never called."""
    shapes = (model.get_build_config() or {}).get("input_shape")
    leaves = _shapes_in(shapes)
    return shapes if leaves and all(map(is_shape, leaves)) else None


def map_shapes(shapes: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of every shape, in the same structure."""
    if is_shape(shapes):
        return function(shapes)
    if isinstance(shapes, Mapping):
        return {key: map_shapes(value, function) for key, value in shapes.items()}
    return [map_shapes(value, function) for value in shapes]


def _shapes_in(shapes: Any) -> list[Any]:
    if isinstance(shapes, Mapping):
        return [leaf for value in shapes.values() for leaf in _shapes_in(value)]
    if isinstance(shapes, list | tuple) and not is_shape(shapes):
        return [leaf for value in shapes for leaf in _shapes_in(value)]
    return [shapes]


def _numbered(word: str) -> Callable[[Any, int], str]:
    return lambda _leaf, place: f"{word}_{place}"
