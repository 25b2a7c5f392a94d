"""LiteRT's delegates: libraries of chip makers that run a part of a model, or all of it, on a GPU, an NPU or a TPU.

A device is spelled `delegate:LIBRARY`, with options behind semicolons: `delegate:/usr/lib/libvx_delegate.so;allow=1`.
The library runs in this process with its rights: load none that you would not run as a program.
"""

from __future__ import annotations

from typing import Any

from orilla_runtime.errors import EngineError, UsageError

PREFIX = "delegate:"
_REMEDY = "Look at its driver and its maker's page, or use --device cpu."


def open_delegate(module: Any, device: str) -> Any:
    """The delegate in the library that `device` names.

    Raises:
        UsageError: an option that is not KEY=VALUE.
        EngineError: the library is not there, is no delegate, or finds no device.
    """
    library, *options = device.removeprefix(PREFIX).split(";")
    pairs = [option.partition("=") for option in options]
    if not library or not all(key and mark for key, mark, _ in pairs):
        raise UsageError(f"{device!r} names no delegate.", "Write delegate:LIBRARY, or delegate:LIBRARY;KEY=VALUE;….")
    _require_delegate(library)
    try:
        return module.load_delegate(library, {key: value for key, _, value in pairs})
    except ValueError as error:
        raise EngineError(f"The delegate {library} found no device: {_line(error)}", _REMEDY) from error


def _require_delegate(library: str) -> None:
    """Asked here first: the interpreter's own way leaves a half-made object that complains when it is collected."""
    import ctypes

    try:
        opened = ctypes.CDLL(library)
    except OSError as error:
        raise EngineError(f"The delegate {library} cannot be loaded: {_line(error)}", _REMEDY) from error
    for name in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"):
        if not hasattr(opened, name):
            raise EngineError(f"{library} is a library, but no delegate: it has no {name}.", _REMEDY)


def require_taken(interpreter: Any, device: str) -> None:
    """Raises EngineError where the delegate took no operator: the CPU would run the model in silence.

    To be asked before tensors are allocated: then XNNPACK takes what is left, and looks the same.
    """
    # The interpreter has no public list of what runs where.
    operators = interpreter._get_ops_details()
    if not any(operator["op_name"] == "DELEGATE" for operator in operators):
        raise EngineError(
            f"{device} took none of the model's {len(operators)} operators.",
            "Its maker says what it takes, often int8 only; or use --device cpu.",
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
