"""The packages of the extra `serve`, or what to do without them."""

from __future__ import annotations

import importlib

from orilla_runtime.errors import ServiceError


def require_stack() -> None:
    """See that starlette and uvicorn are there. Raises ServiceError."""
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ServiceError(
                f"A page or a service needs {name}, which is not installed.",
                "Install it: pip install 'orilla[serve]'.",
            ) from error
