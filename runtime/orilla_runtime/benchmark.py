"""What one picture costs on this machine: the engine alone, and everything from the frame to the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.model import Model
from orilla_runtime.tensors import TensorSpec

WARM_UP_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Speed:
    """One model with one number of threads: `invoke` is the engine alone, `frame` from a picture to its result.

    `first` is the first call after loading, in milliseconds; it is in neither of the others.
    """

    artifact: str
    engine: str
    threads: int
    first: float
    invoke: Percentiles
    frame: Percentiles


def benchmark(models: Sequence[tuple[Model, int]], frame: NDArray[np.uint8], rounds: int) -> tuple[Speed, ...]:
    """Time models on one frame, in interleaved rounds, so that a drift of the machine meets all of them alike.

    What does not take one picture is timed on drawn tensors; `frame` then is the whole call.

    Args:
        models: loaded models, each with the number of threads it was loaded with.
        frame: uint8 BGR HxWx3.
        rounds: timed calls of each, after a warm-up that is not counted.
    """
    calls = [_calls(model, frame) for model, _ in models]
    first = [_milliseconds(invoke) for invoke, _ in calls]
    for _ in range(WARM_UP_ROUNDS):
        for invoke, whole in calls:
            invoke()
            whole()
    times = np.empty((len(calls), 2, rounds))
    for turn in range(rounds):
        for index, (invoke, whole) in enumerate(calls):
            times[index, 0, turn] = _milliseconds(invoke)
            times[index, 1, turn] = _milliseconds(whole)
    return tuple(
        Speed(model.artifact, model.engine, threads, first[index], _percentiles(row[0]), _percentiles(row[1]))
        for index, ((model, threads), row) in enumerate(zip(models, times, strict=True))
    )


def _calls(model: Model, frame: NDArray[np.uint8]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    if model.preprocess is None:
        tensors = tuple(_drawn(spec) for spec in model.session.inputs)
        return (lambda: model.session.run(*tensors)), (lambda: model(*tensors))
    tensor = model.preprocess(frame)
    return (lambda: model.session.run(tensor)), (lambda: model(frame))


def _drawn(spec: TensorSpec) -> NDArray[Any]:
    """A tensor for an input that is no picture: values of 0 to 1, or all levels of an integer; open sides are 1."""
    random = np.random.default_rng(0)
    shape = tuple(side or 1 for side in spec.shape)
    if np.issubdtype(np.dtype(spec.dtype), np.integer) and np.dtype(spec.dtype).itemsize == 1:
        return random.integers(0, 128, shape).astype(spec.dtype)
    return random.uniform(0, 1, shape).astype(spec.dtype)


def _milliseconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def _percentiles(times: NDArray[np.float64]) -> Percentiles:
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    return Percentiles(float(p50), float(p95), float(p99))
