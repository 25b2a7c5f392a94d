"""Trainings that take turns, an epoch each, in one process: a machine that others use slows all of them alike."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orilla
from orilla.training.progress import EpochEnd, Event, Phase
from orilla.training.result import TrainResult


@dataclass(frozen=True, slots=True)
class Training:
    """One training, as `orilla.train` takes it. `options` are fields of the recipe."""

    name: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """After an epoch: seconds of the clock and of all cores since training began, without reading the pictures.

    val_accuracy: on the pictures that chose the best epoch. Validation is within the seconds, of every training alike.
    """

    epoch: int
    seconds: float
    cpu_seconds: float
    accuracy: float
    val_accuracy: float


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    training: Training
    result: TrainResult
    curve: tuple[Point, ...]


class _Turns:
    """Only the thread whose name stands first works."""

    def __init__(self, names: Sequence[str]) -> None:
        self._order, self._changed = deque(names), threading.Condition()

    def wait(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._order[0] == name)

    def next(self, name: str) -> None:
        with self._changed:
            self._order.rotate(-1)
            self._changed.notify_all()
        self.wait(name)

    @contextmanager
    def taking(self, name: str) -> Iterator[None]:
        self.wait(name)
        try:
            yield
        finally:
            with self._changed:
                self._order.remove(name)
                self._changed.notify_all()


class _Curve:
    """The progress of one training: notes each epoch, then lets the next training work."""

    def __init__(self, pass_on: Callable[[], None]) -> None:
        self._pass_on, self._points = pass_on, list[Point]()
        self._clock = self._cpu = self._seconds = self._cpu_seconds = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Phase) and event.name == "train":
            self._start()
        if isinstance(event, EpochEnd):
            self._seconds += time.perf_counter() - self._clock
            self._cpu_seconds += time.process_time() - self._cpu
            self._points.append(
                Point(event.epoch, self._seconds, self._cpu_seconds, event.accuracy, event.val_accuracy)
            )
            self._pass_on()
            self._start()

    def _start(self) -> None:
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self._points)


def train_in_turns(trainings: Sequence[Training], data: Path, folder: Path) -> list[Trained]:
    """Train each on `data`, epoch by epoch in turns; the models are `folder/NAME.keras`."""
    turns = _Turns([each.name for each in trainings])

    def run(training: Training) -> Trained:
        with turns.taking(training.name):
            curve = _Curve(lambda: turns.next(training.name))
            result = orilla.train(
                data,
                output=folder / f"{training.name}.keras",
                model=training.model,
                record=False,
                progress=curve,
                **training.options,
            )
            return Trained(training, result, curve.points)

    with ThreadPoolExecutor(len(trainings)) as pool:
        return list(pool.map(run, trainings))
