"""Which engine runs a file."""

from __future__ import annotations

from orilla_runtime.engines.base import Engine
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.engines.registry import engines
from orilla_runtime.errors import EngineError, UsageError

__all__ = ["engine_for", "usable_cpus"]


def engine_for(format: str, name: str = "auto") -> Engine:  # noqa: A002
    """The engine for files of `format` (`tflite`, `onnx`).

    Args:
        format: of the file.
        name: an engine's name, or `auto`: the first that takes the format and works here.

    Raises:
        UsageError: no such engine, or one that does not take the format.
        EngineError: none works here; the message says why and what to install.
    """
    there = engines()
    able = {key: engine for key, engine in there.items() if format in engine.formats}
    if name != "auto":
        if name not in there:
            raise UsageError(f"There is no engine {name!r}.", f"Use one of: auto, {', '.join(there)}.")
        if name not in able:
            raise UsageError(
                f"The engine {name} does not run {format} files.", f"Use --engine {' or '.join(able) or 'auto'}."
            )
        return able[name]
    if not able:
        raise EngineError(f"No engine runs {format} files.", f"The engines here are: {', '.join(there)}.")
    reasons = []
    for engine in able.values():
        state = engine.availability()
        if state.devices:
            return engine
        reasons.append((state.reason, state.remedy))
    raise EngineError(*reasons[0])
