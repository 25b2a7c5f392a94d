"""Measures every way to run a model on this machine, in short interleaved rounds with a limit of time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.engines.base import Engine, EngineOptions, Session
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.engines.registry import engines_for
from orilla_runtime.errors import ModelError, OrillaError
from orilla_runtime.tensors import TensorSpec
from orilla_runtime.tuning.speeds import Runnable, Speed

LIMIT_SECONDS = 2.0
"""Time for opening the ways, and as much for measuring them. What has begun when it ends is waited for."""

ROUNDS = 40
_LEAST_ROUNDS = 5
_HOPELESS = 1.5
_SHORTEST_VISIT = 0.002
_MOST_BYTES = 512 * 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and why the other ways were not (`openvino: … is not installed`)."""

    speeds: tuple[Speed, ...]
    refused: tuple[str, ...]


def measure(models: Sequence[Runnable], limit: float = LIMIT_SECONDS) -> Measurement:
    """Time all ways to run these files: each engine that takes them, with all CPUs, half of them, and one thread.

    Args:
        models: files that do the same work, the default one first.
        limit: seconds, after which no further way is opened; as long again, and at least five rounds, are measured.

    Never raises. A file that its first engine refuses is not given to another, which may check it less.
    """
    with ExitStack() as stack:
        runners, refused = _opened(stack, models, time.monotonic() + limit)
        _rounds(runners, time.monotonic() + limit)
        speeds = tuple(runner.speed() for runner in runners if runner.times)
    _log.info("measured %s", "; ".join(map(str, speeds)) or "nothing")
    return Measurement(speeds, tuple(refused))


def thread_counts() -> tuple[int, ...]:
    """The numbers of threads worth trying, most first: all CPUs that this process may use, half of them, one."""
    cpus = usable_cpus()
    return tuple(sorted({1, max(1, cpus // 2), cpus}, reverse=True))


@dataclass(slots=True)
class _Runner:
    """One open session, its input, and what its calls took, in seconds."""

    sha256: str
    engine: str
    threads: int
    session: Session
    tensors: tuple[NDArray[Any], ...]
    calls: int = 1
    times: list[float] = field(default_factory=list)

    def warm_up(self) -> None:
        self.session.run(*self.tensors)
        once = self._seconds(1)
        self.calls = max(1, min(20, round(_SHORTEST_VISIT / max(once, 1e-6))))

    def visit(self) -> None:
        # The first call meets caches and threads as the way before it left them.
        self.session.run(*self.tensors)
        self.times.append(self._seconds(self.calls))

    def _seconds(self, calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            self.session.run(*self.tensors)
        return (time.perf_counter() - start) / calls

    def speed(self) -> Speed:
        # As precise as it will be remembered, so that both tell the same.
        milliseconds = round(median(self.times) * 1000, 4)
        return Speed(self.sha256, self.engine, self.session.device, self.threads, milliseconds)


def _opened(stack: ExitStack, models: Sequence[Runnable], deadline: float) -> tuple[list[_Runner], list[str]]:
    runners: list[_Runner] = []
    refused: list[str] = []
    held = 0
    # The first engine with every number of threads before the next one, which may take seconds to open.
    for model, engine in _pairs(models):
        for threads in thread_counts():
            if runners and (time.monotonic() > deadline or held + model.size > _MOST_BYTES):
                lacking = "time" if time.monotonic() > deadline else "memory"
                refused.append(f"{engine.name} with {threads} threads: not measured for lack of {lacking}")
                return runners, refused
            try:
                runner = _open(model, engine, EngineOptions(threads=threads))
            except OrillaError as error:
                refused.append(f"{engine.name}: {error.message}")
                if isinstance(error, ModelError) and not runners:
                    return runners, refused
                break
            stack.callback(runner.session.close)
            held += model.size
            runners.append(runner)
            if runner.session.device != "cpu":
                break  # the number of threads means nothing there
    return runners, refused


def _pairs(models: Sequence[Runnable]) -> Iterator[tuple[Runnable, Engine]]:
    for model in models:
        for engine in engines_for(model.format):
            yield model, engine


def _open(model: Runnable, engine: Engine, options: EngineOptions) -> _Runner:
    session = engine.load(model.read(), options)
    try:
        tensors = tuple(map(drawn, session.inputs))
        runner = _Runner(model.sha256(), engine.name, options.threads or 1, session, tensors)
        runner.warm_up()
    except BaseException:
        session.close()
        raise
    return runner


def drawn(spec: TensorSpec) -> NDArray[Any]:
    """Noise for one input. Raises ModelError where the file leaves more than the batch open."""
    if spec.dtype == "string" or None in spec.shape[1:]:
        raise ModelError(f"The input {spec} has no size to measure with.")
    random = np.random.default_rng(0)
    shape = tuple(side or 1 for side in spec.shape)
    if spec.dtype.startswith(("uint", "int")):
        return random.integers(0, 128, shape).astype(spec.dtype)
    return random.random(shape, np.float32).astype(spec.dtype)


def _rounds(runners: list[_Runner], deadline: float) -> None:
    """Interleaved, so that what else the machine does meets all of them alike; hopeless ones are soon left out."""
    racing = list(runners)
    for turn in range(ROUNDS):
        for runner in racing:
            runner.visit()
        if turn + 1 >= _LEAST_ROUNDS:
            if time.monotonic() > deadline or len(racing) <= 1:
                return
            best = min(median(runner.times) for runner in racing)
            racing = [runner for runner in racing if median(runner.times) <= best * _HOPELESS]
