"""What a file is by its first bytes, and what to say of files that are no model for a device."""

from __future__ import annotations

from orilla_runtime.errors import ModelError
from orilla_runtime.formats.model_file import ModelFile

_CONVERT = "Convert it on the desk first: orilla convert MODEL --data PHOTOS --output NAME.orilla."
_OTHERS = (
    (b"\x89HDF\r\n\x1a\n", "is a Keras HDF5 file (.h5), which no device engine runs", _CONVERT),
    (b"ORTM", "is in ONNX Runtime's own format (.ort)", "Give the .onnx file that it was made from."),
    (b"PK\x03\x04", "is a zip archive", "Give a .tflite, .onnx or .orilla file; a .keras file has to be converted."),
    (b"\x80", "is a Python pickle (a PyTorch file?)", "Export it to ONNX first."),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "Fetch it: git lfs pull."),
    (b"<", "is a web page or XML, not a model", "Download the file itself."),
)


def sniff_format(data: bytes) -> str | None:
    """`tflite`, `onnx` or None, by content alone."""
    if data[4:8] == b"TFL3":
        return "tflite"
    from orilla_runtime.formats.onnx import looks_like_onnx

    return "onnx" if looks_like_onnx(data) else None


def read_model(data: bytes, name: str = "the model") -> ModelFile:
    """What a .tflite or .onnx file says of itself.

    Raises:
        ModelError: empty, damaged, cut, or no model file; the message opens with `name`.
    """
    # Each format's reader is imported for its files alone: a part of the time to a program's first result.
    found = sniff_format(data)
    if found == "tflite":
        from orilla_runtime.formats.tflite import read_tflite

        return read_tflite(data, name).summary()
    if found == "onnx":
        from orilla_runtime.formats.onnx import read_onnx

        return read_onnx(data, name).summary()
    if not data:
        raise ModelError(f"{name}: the file is empty.", "Copy or convert it again.")
    for mark, what, remedy in _OTHERS:
        if data.startswith(mark) or (mark == b"ORTM" and data[4:8] == mark):
            raise ModelError(f"{name} {what}.", remedy)
    if name.lower().endswith((".tflite", ".lite")):
        raise ModelError(f"{name}: the TFLite file is damaged (it does not carry the mark TFL3).", "Copy it again.")
    if name.lower().endswith(".onnx"):
        raise ModelError(f"{name}: the ONNX file is damaged or cut (no graph in it).", "Copy or export it again.")
    raise ModelError(f"{name} is neither a TFLite nor an ONNX model.", "Give a .tflite, .onnx or .orilla file.")
