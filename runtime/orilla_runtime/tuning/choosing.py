"""Opens a model in the best way that is known: as it was measured here, else on the first engine that works."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from orilla_runtime.engines.base import Engine, EngineOptions, Session
from orilla_runtime.engines.registry import engine_named, engines_for
from orilla_runtime.engines.selection import named_engine, no_engine
from orilla_runtime.errors import EngineError, ModelError, OrillaError
from orilla_runtime.records import replace
from orilla_runtime.text import printable
from orilla_runtime.tuning.cache import recall, remember
from orilla_runtime.tuning.speeds import Runnable, Speed, ranked


class Chosen(NamedTuple):
    """An open session, what it runs, and why it was taken: of what was measured, or of what could not be had.

    `threads` is what the session was given, None for every CPU.
    """

    model: Runnable
    engine: Engine
    session: Session
    threads: int | None
    why: str


class _Way(NamedTuple):
    model: Runnable
    engine: Engine
    threads: int | None
    measured: Speed | None = None


def choose(
    models: Sequence[Runnable],
    engine: str,
    options: EngineOptions,
    measure: str = "never",
    *,
    usual_only: bool = False,
) -> Chosen:
    """Open one of these files.

    Args:
        models: files that do the same work, the default one first; another is taken only where it was measured faster.
        engine: an engine's name, or `auto`.
        options: a device or a number of threads that it names is kept; `auto` and None leave the choice.
        measure: `never` takes what was measured here before, if anything was; `once` measures where nothing was;
            `anew` measures in any case. It takes some seconds, once for a model on a machine.
        usual_only: where nothing was measured, only the first engine of the file's format: another format may do better
            on its own than this one on a stand-in.

    Raises:
        ModelError: the engine that is taken refuses the file.
        EngineError: no engine works here, or not the device that was asked for.
        UsageError: options that do not fit together.
    """
    speeds = _speeds(models, engine, options, measure)
    reasons: list[tuple[str, OrillaError]] = []
    for way in _ways(models, engine, options, speeds, usual_only):
        try:
            session = way.engine.load(way.model.read(), replace(options, threads=way.threads))
        except EngineError as error:
            reasons.append((way.engine.name, error))
            continue
        except ModelError as error:
            # Not given to the next engine: one may run in silence what another found to be damaged.
            raise _refused(way.model, error) from error
        why = _why(way, engine, speeds, reasons)
        _tell(f"{way.model.shown} runs on {way.engine.name}/{session.device}: {why}")
        return Chosen(way.model, way.engine, session, way.threads, why)
    raise reasons[0][1] if reasons else no_engine(models[0].format)


def _tell(what: str) -> None:
    # A program that never imported `logging` has nobody who listens, and importing it costs time to the first result.
    if "logging" in sys.modules:
        import logging

        logging.getLogger(__name__).info("%s", printable(what))


def _refused(model: Runnable, error: ModelError) -> ModelError:
    """With the file's name. The words may be out of a foreign file, and must not steer a terminal."""
    message = error.message
    message = f"the {message[4:]}" if message.startswith("The ") else message
    return ModelError(printable(f"{model.shown}: {message}"), printable(error.remedy))


def _speeds(models: Sequence[Runnable], engine: str, options: EngineOptions, measure: str) -> list[Speed]:
    """What is known of the ways that the options allow, best first."""
    if options.signature is not None or options.kernels != "default":
        return []
    if engine != "auto" and options.threads is not None:
        return []  # nothing is left to choose
    found = () if measure == "anew" else recall(models)
    if not found and measure != "never":
        # Not imported by a start that finds everything measured.
        from orilla_runtime.tuning.measuring import measure as measured

        # All ways, also where the options allow some: what is remembered has to serve every later start.
        found = measured(models).speeds
        if found:
            remember(models, found)
    if not any(speed.sha256 == models[0].sha256() for speed in found):
        # No engine ran the default file; the others only stand in for it where they are faster.
        return []
    return ranked(speed for speed in found if _allowed(speed, engine, options))


def _allowed(speed: Speed, engine: str, options: EngineOptions) -> bool:
    return (
        engine in {"auto", speed.engine}
        and options.device in {"auto", speed.device}
        and options.threads in {None, speed.threads}
    )


def _ways(
    models: Sequence[Runnable], engine: str, options: EngineOptions, speeds: Sequence[Speed], usual_only: bool
) -> Iterator[_Way]:
    """The measured ways, best first; then the default file on every engine that takes it."""
    by_hash = {model.sha256(): model for model in models} if speeds else {}
    for speed in speeds:
        runner = engine_named(speed.engine)
        if runner is not None and speed.sha256 in by_hash:
            yield _Way(by_hash[speed.sha256], runner, speed.threads, speed)
    default = models[0]
    runners = engines_for(default.format) if engine == "auto" else iter([named_engine(default.format, engine)])
    for runner in islice(runners, 1) if usual_only else runners:
        yield _Way(default, runner, options.threads)


def _why(way: _Way, engine: str, speeds: Sequence[Speed], reasons: Sequence[tuple[str, OrillaError]]) -> str:
    """One line for people: what was measured, or that nothing was; and what could not be had."""
    parts = []
    if way.measured is not None:
        others = [str(speed) for speed in speeds if speed is not way.measured]
        parts.append(f"measured here: {way.measured}" + (f"; others: {'; '.join(others)}" if others else ""))
    else:
        parts.append("not measured here; the first that works" if engine == "auto" else "as asked")
    parts += [f"not {name}: {error.message}" for name, error in reasons]
    return "; ".join(dict.fromkeys(parts))
