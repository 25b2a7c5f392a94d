"""Model files on disk: what cannot be one is refused before anything is read."""

from __future__ import annotations

from pathlib import Path

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.model_file import ModelFile
from orilla_runtime.formats.sniff import read_model

SUFFIXES = (".tflite", ".onnx", ".orilla")
_GIVE = "Give a .tflite, .onnx or .orilla file."
_DESK = {
    ".keras": "is a Keras model, which only the desk runs",
    ".h5": "is a Keras model (HDF5), which only the desk runs",
    ".hdf5": "is a Keras model (HDF5), which only the desk runs",
}


def read_model_file(path: str | Path) -> ModelFile:
    """What a .tflite or .onnx file says of itself; no engine is needed.

    Raises:
        ModelError: no such file, a folder, a pipe, unreadable, empty, damaged, or no model file.
    """
    return read_model(read_bytes(path), Path(path).name)


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a model file.

    Raises:
        ModelError: no such file, a folder, a pipe, unreadable, or a Keras model, which has to be converted first.
    """
    path = Path(path)
    try:
        if path.is_dir():
            what = "is a TensorFlow SavedModel" if (path / "saved_model.pb").is_file() else "is a folder"
            raise ModelError(f"{path} {what}, not a model file.", _GIVE)
        if not path.exists():
            raise ModelError(f"{path}: there is no such file.", _GIVE)
        if path.suffix.lower() in _DESK:
            raise ModelError(
                f"{path} {_DESK[path.suffix.lower()]}.",
                f"Convert it first: orilla convert {path.name} --data PHOTOS --output {path.stem}.orilla",
            )
        # Opening a pipe would wait for its other end.
        if not path.is_file():
            raise ModelError(f"{path} is a device or a pipe, not a model file.", "Copy the model to a file first.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.", "Check its permissions.") from error
