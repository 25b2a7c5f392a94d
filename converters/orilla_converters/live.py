"""A Keras model in memory becomes a file that a worker can open; the model itself stays as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orilla_converters.structure import is_shape, leaf_names, plain_names
from orilla_converters.traceable import built_shapes, map_shapes
from orilla_runtime.errors import ConversionError, UsageError


@contextmanager
def on_disk(model: Any) -> Iterator[Path]:
    """The path of the model: where it is a path already, or of a file that is there until the block ends.

    Keras' own layers are saved as `.keras`, which keeps them apart. What holds the caller's code (a subclass, a Lambda)
    goes as a SavedModel, traced for inference here, where that code is known.

    Raises:
        UsageError: neither a path nor a Keras model. ConversionError: it cannot be saved.
    """
    if isinstance(model, str | Path):
        yield Path(model)
        return
    if not callable(getattr(model, "save", None)) or not hasattr(model, "layers"):
        raise UsageError(
            f"{type(model).__name__} is no Keras model.", "Give a model of Keras 3, or the path of a file."
        )
    with tempfile.TemporaryDirectory(prefix="orilla-model-") as folder:
        name = "".join(letter if letter.isalnum() else "_" for letter in str(model.name)) or "model"
        plain = all(_is_plain(layer) for layer in model._flatten_layers())
        path = Path(folder) / (f"{name}.keras" if plain else name)
        try:
            if plain:
                model.save(path)
            else:
                _export(model, path)
        except ConversionError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise ConversionError(f"The model {model.name!r} cannot be saved: {text}.", "Call it first.") from error
        yield path


def _is_plain(layer: Any) -> bool:
    own = type(layer).__module__.split(".")[0] == "keras"
    return own and type(layer).__name__ != "Lambda"


def _export(model: Any, path: Path) -> None:
    """`model.export` keeps augmentation layers on; an endpoint of our own does not."""
    import keras
    import tensorflow as tf

    shapes, names = _taken(keras, model)
    if shapes is None:
        raise ConversionError(
            f"The model {model.name!r} holds code of its own and does not say what it takes.",
            "Call it once with one sample, or build it of Keras' own layers.",
        )
    left = iter(names)
    specs = map_shapes(shapes, lambda shape: tf.TensorSpec((None, *shape[1:]), tf.float32, name=next(left)))
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda given: model(given, training=False), input_signature=[specs])
    archive.write_out(str(path), verbose=False)


def _taken(keras: Any, model: Any) -> tuple[Any, list[str]]:
    """The shapes of what the model's call takes, in its structure with dicts in order, and their names."""
    if getattr(model, "inputs", None) and not isinstance(model, keras.Sequential):
        shapes = _sorted(keras.tree.map_structure(lambda tensor: tuple(tensor.shape), model.input))
        names = leaf_names(model.input, lambda tensor, _place: tensor.name)
    else:
        alone = getattr(model, "inputs", None)
        shapes = _sorted(tuple(alone[0].shape) if alone else built_shapes(model))
        names = [] if shapes is None else leaf_names(shapes, lambda _shape, place: f"input_{place}")
    return shapes, ["image"] if is_shape(shapes) else plain_names(names)


def _sorted(shapes: Any) -> Any:
    """Dicts in the order of their keys, in which Keras names their leaves."""
    if isinstance(shapes, dict):
        return {key: _sorted(shapes[key]) for key in sorted(shapes)}
    return shapes if shapes is None or is_shape(shapes) else [_sorted(one) for one in shapes]
