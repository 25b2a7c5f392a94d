"""The one place of the desk that imports TensorFlow and Keras."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orilla_runtime.errors import OrillaError


def keras_and_tensorflow() -> tuple[Any, Any]:
    """The modules `keras` (on TensorFlow) and `tensorflow`, imported without TensorFlow's start-up lines.

    Raises:
        OrillaError: they are not installed, or Keras runs on another backend.
    """
    # TensorFlow reads this once, at its import; a value that the user has set wins.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _quiet_import("tensorflow"):
            import tensorflow
        import keras
    except ImportError as error:
        raise OrillaError(f"TensorFlow is not there: {error}.", "Install it: pip install 'orilla[desk]'") from error
    if keras.backend.backend() != "tensorflow":
        raise OrillaError(
            f"Keras runs on {keras.backend.backend()}; Orilla trains on TensorFlow.", "Set KERAS_BACKEND=tensorflow."
        )
    return keras, tensorflow


@contextmanager
def _quiet_import(module: str) -> Iterator[None]:
    """Hold back what the first import writes to file descriptor 2: these lines come before any log level is read."""
    if module in sys.modules or "TF_CPP_VMODULE" in os.environ:
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
