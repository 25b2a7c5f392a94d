"""How many CPUs this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cpus() -> int:
    """CPUs that the scheduler and the container grant to this process, at least 1; not those that the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota(Path("/sys/fs/cgroup/cpu.max"))
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def _container_quota(limit: Path) -> float | None:
    """CPUs that a Linux control group grants (`docker run --cpus`); None without a limit."""
    try:
        quota, period = limit.read_text("ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        # No such file, or the word "max" in place of a number.
        return None
