"""Finds an engine's Python package; a broken one shows its own words, never "please install"."""

from __future__ import annotations

import importlib
from types import ModuleType

from orilla_runtime.errors import EngineError


def import_engine(engine: str, modules: tuple[tuple[str, str], ...], install: str) -> tuple[str, ModuleType]:
    """The first of `modules` (module, package) that is installed.

    Raises:
        EngineError: none is installed, or the one that is does not import.
    """
    for module, package in modules:
        try:
            return package, importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
                continue
            raise _broken(engine, package, error) from error
        except Exception as error:
            # A native library that is missing or too new can raise anything on import.
            raise _broken(engine, package, error) from error
    names = " or ".join(package for _, package in modules)
    raise EngineError(f"{engine} is not installed (package {names}).", install)


def _broken(engine: str, package: str, error: Exception) -> EngineError:
    text = " ".join(str(error).split())
    return EngineError(
        f"{engine} is installed (package {package}) but does not start: {type(error).__name__}: {text}",
        "The reason is in the message: often a system library is missing, or two versions clash.",
    )
