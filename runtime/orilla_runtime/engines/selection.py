"""Which engine runs a file."""

from __future__ import annotations

from orilla_runtime.engines.base import Engine
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.engines.registry import engine_named, engines, engines_for
from orilla_runtime.errors import EngineError, UsageError

__all__ = ["engine_for", "named_engine", "usable_cpus"]


def engine_for(format: str, name: str = "auto") -> Engine:  # noqa: A002
    """The engine for files of `format` (`tflite`, `onnx`).

    Args:
        format: of the file.
        name: an engine's name, or `auto`: the first that takes the format and works here.

    Raises:
        UsageError: no such engine, or one that does not take the format.
        EngineError: none works here; the message says why and what to install.
    """
    if name != "auto":
        return named_engine(format, name)
    reasons = []
    for engine in engines_for(format):
        state = engine.availability()
        if state.devices:
            return engine
        reasons.append((state.reason, state.remedy))
    if not reasons:
        raise no_engine(format)
    raise EngineError(*reasons[0])


def named_engine(format: str, name: str) -> Engine:  # noqa: A002
    """The engine of that name. Raises UsageError: there is none, or it does not take the format."""
    engine = engine_named(name)
    if engine is None:
        raise UsageError(f"There is no engine {name!r}.", f"Use one of: auto, {', '.join(engines())}.")
    if format not in engine.formats:
        able = " or ".join(engine.name for engine in engines_for(format))
        raise UsageError(f"The engine {name} does not run {format} files.", f"Use --engine {able or 'auto'}.")
    return engine


def no_engine(format: str) -> EngineError:  # noqa: A002
    """What to say where no engine takes a format."""
    if format == "savedmodel":
        return EngineError(
            "A SavedModel is for TensorFlow Serving, and no engine of Orilla runs it.",
            "Name another artifact; orilla export BUNDLE --artifact savedmodel --to FOLDER makes the folder to serve.",
        )
    return EngineError(f"No engine runs {format} files.", f"The engines here are: {', '.join(engines())}.")
