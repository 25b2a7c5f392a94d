"""Opens Keras models: `.keras`, and `.h5` of Keras 2 and 3. Code inside a file is refused unless it is trusted."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from orilla_converters.compat import keras2_classes
from orilla_runtime.errors import ConversionError, DataError

SUFFIXES = (".keras", ".h5", ".hdf5")
_IN_GRAPHS = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>/-]*")
_STRANGE = re.compile(r"[^A-Za-z0-9_.>/-]+")


def load_keras(path: Path, *, trusted: bool = False) -> Any:
    """The model, not compiled.

    trusted: run the code that the file holds (Lambda layers), and import the modules that it names.

    Raises:
        DataError: no such file. ConversionError: it cannot be opened, or not safely.
    """
    import keras

    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", "Give the path of a .keras or .h5 file.")
    if trusted:
        # For the copies too that are made of the model later; this is a worker's own process.
        keras.config.enable_unsafe_deserialization()
    old = None if path.suffix == ".keras" else keras2_classes()
    try:
        model = keras.saving.load_model(path, custom_objects=old, compile=False, safe_mode=not trusted)
    except Exception as error:
        raise _refusal(path, " ".join(str(error).split()), error) from error
    _name_for_graphs(model)
    return model


def _name_for_graphs(model: Any) -> None:
    """Rename the layers whose names TensorFlow cannot write into a graph: `convolución 1` becomes `convolucion_1`.

    TFLite's converter answers such a name with `'NoneType' object is not callable`.
    """
    layers = model._flatten_layers()
    taken = {layer.name for layer in layers}
    for layer in layers:
        if _IN_GRAPHS.fullmatch(layer.name):
            continue
        letters = unicodedata.normalize("NFKD", layer.name).encode("ascii", "ignore").decode()
        plain = _STRANGE.sub("_", letters).strip("_") or "layer"
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain}_{number}"
        layer.name = name
        taken.add(name)


def _refusal(path: Path, text: str, error: Exception) -> ConversionError:
    if "lambda" in text.lower() or "safe_mode" in text:
        what = "it holds a Lambda layer, which is code"
        remedy = "Replace it by Keras layers, or run its code with --unsafe if you trust who made the file."
    elif "Could not locate" in text or "register_keras_serializable" in text or "Unknown layer" in text:
        what = f"it needs a class of its author's ({text[:120]})"
        remedy = "Build the model from Keras' own layers, or convert it in memory or as a SavedModel folder."
    elif "No model config found" in text:
        what, remedy = "it holds weights and no model", "Save the whole model with model.save('NAME.keras')."
    else:
        what, remedy = (
            f"{type(error).__name__}: {text[:160]}",
            "Save it again with model.save('NAME.keras') in Keras 3.",
        )
    return ConversionError(f"{path} cannot be opened: {what}.", remedy)
