"""A Keras model in memory becomes a file that a worker can open; the model itself stays as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

    inputs = list(getattr(model, "inputs", None) or ())
    shape = inputs[0].shape if len(inputs) == 1 else (model.get_build_config() or {}).get("input_shape")
    if len(inputs) > 1 or not isinstance(shape, list | tuple) or isinstance(shape[0], list | tuple):
        raise ConversionError(
            f"The model {model.name!r} holds code of its own and does not have one input with a known shape.",
            "Call it once with one picture, or build it of Keras' own layers.",
        )
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec((None, *shape[1:]), tf.float32, name="image")]
    archive.add_endpoint("serve", lambda image: model(image, training=False), input_signature=signature)
    archive.write_out(str(path), verbose=False)
