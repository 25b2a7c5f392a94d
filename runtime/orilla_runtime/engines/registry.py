"""The engines that are there: those of this tree, and those of other packages (entry points `orilla.engines`).

An engine is imported when a file of its format comes, and other packages are searched when none of ours will do: both
count in the time to a program's first result.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orilla_runtime.engines.base import Engine

GROUP = "orilla.engines"


class _Home(NamedTuple):
    module: str
    maker: str
    formats: frozenset[str]


# In the order in which they are tried for a file of their format.
_OWN: Mapping[str, _Home] = {
    "litert": _Home("orilla_runtime.engines.litert", "LiteRT", frozenset({"tflite"})),
    "onnxruntime": _Home("orilla_runtime.engines.onnxruntime", "OnnxRuntime", frozenset({"onnx"})),
    "openvino": _Home("orilla_runtime.engines.openvino", "OpenVINO", frozenset({"onnx", "tflite"})),
}


def engines() -> Mapping[str, Engine]:
    """Engines by name, Orilla's own first. An entry point names a class or function that makes an `Engine`.

    A package whose entry point fails is left out with a warning: it must not stop the engines that work.
    """
    found = {name: _own(name) for name in _OWN}
    for engine in _outside():
        found.setdefault(engine.name, engine)
    return found


def engine_named(name: str) -> Engine | None:
    """The engine of that name, None where there is none."""
    if name in _OWN:
        return _own(name)
    return next((engine for engine in _outside() if engine.name == name), None)


def engines_for(format: str) -> Iterator[Engine]:  # noqa: A002
    """The engines that take files of that format, Orilla's own first; each is imported when it is asked for."""
    for name, home in _OWN.items():
        if format in home.formats:
            yield _own(name)
    for engine in _outside():
        if format in engine.formats and engine.name not in _OWN:
            yield engine


def _own(name: str) -> Engine:
    home = _OWN[name]
    made: Engine = getattr(importlib.import_module(home.module), home.maker)()
    return made


def _outside() -> Iterator[Engine]:
    import logging
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            engine: Engine = entry.load()()
        except Exception as error:
            logging.getLogger(__name__).warning("The engine %s (%s) does not start: %s", entry.name, entry.value, error)
            continue
        yield engine
