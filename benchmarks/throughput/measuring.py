"""Rounds in turn, and what of the machine was there to be had in each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_runtime.engines.cpus import usable_cpus


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds on the wall, CPU seconds of this process, and CPU seconds that other processes took meanwhile."""

    wall: float
    cpu: float
    others: float

    @property
    def cpus_left(self) -> float:
        """CPUs that other processes left to this one, on average."""
        return max(0.1, usable_cpus() - self.others / self.wall)


def measured(call: Callable[[], Any]) -> tuple[Round, Any]:
    """Run it once."""
    busy, cpu, start = _busy_seconds(), time.process_time(), time.perf_counter()
    result = call()
    wall, own = time.perf_counter() - start, time.process_time() - cpu
    return Round(wall, own, max(0.0, _busy_seconds() - busy - own)), result


def rounds(calls: Mapping[str, Callable[[], Any]], count: int) -> tuple[dict[str, list[Round]], dict[str, Any]]:
    """Every call in turn, so often; the results of the last round."""
    found: dict[str, list[Round]] = {name: [] for name in calls}
    results: dict[str, Any] = {}
    for _ in range(count):
        for name, call in calls.items():
            one, results[name] = measured(call)
            found[name].append(one)
    return found, results


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    if len(values) < 2:
        return {"median": round(values[0], 3)}
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def _busy_seconds() -> float:
    """CPU seconds that all processes of this machine used since it started; 0 where the system does not say."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, stat.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / 100
