"""The engines that are there: those of this tree, and those of other packages (entry points `orilla.engines`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import entry_points

from orilla_runtime.engines.base import Engine
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.engines.onnxruntime import OnnxRuntime
from orilla_runtime.engines.openvino import OpenVINO

GROUP = "orilla.engines"
_log = logging.getLogger(__name__)


def engines() -> Mapping[str, Engine]:
    """Engines by name, Orilla's own first. An entry point names a class or function that makes an `Engine`.

    A package whose entry point fails is left out with a warning: it must not stop the engines that work.
    """
    found: dict[str, Engine] = {engine.name: engine for engine in _own()}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            engine: Engine = entry.load()()
        except Exception as error:
            _log.warning("The engine %s (%s) does not start: %s", entry.name, entry.value, error)
            continue
        found.setdefault(engine.name, engine)
    return found


def _own() -> tuple[Engine, ...]:
    return LiteRT(), OnnxRuntime(), OpenVINO()
