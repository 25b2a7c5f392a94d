"""The device side of Orilla: open a bundle or a model, and run it on pictures, videos and cameras.

Neither OpenCV nor an engine is imported before the function that needs it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from orilla_runtime.errors import OrillaError

if TYPE_CHECKING:
    from orilla_runtime.model import load

__all__ = ["OrillaError", "load"]

_HOMES = {
    "load": "orilla_runtime.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'orilla_runtime' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
