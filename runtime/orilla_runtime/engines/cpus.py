"""How many CPUs this process may use."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cpus() -> int:
    """CPUs that the scheduler and the container grant to this process, at least 1; not those that the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = granted(_GROUPS, _MEMBERSHIP)
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def granted(groups: Path, membership: Path) -> float | None:
    """CPUs that Linux's control groups grant (`docker run --cpus`, systemd's `CPUQuota`); None without a limit.

    groups: where the groups are mounted. membership: the file that says which one is the process's. A group has no
    more than those above it; of a container they are not seen, and the topmost is its own.
    """
    own = "/"
    with suppress(OSError, UnicodeDecodeError):
        own = next((line[3:] for line in membership.read_text("utf-8").splitlines() if line.startswith("0::")), "/")
    folder = groups / own.lstrip("/")
    quotas = []
    for group in (folder, *folder.parents):
        quotas.append(_quota(group / "cpu.max"))
        if group == groups:
            break
    quotas.append(_quota(groups / "cpu" / "cpu.cfs_quota_us", groups / "cpu" / "cpu.cfs_period_us"))
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(*files: Path) -> float | None:
    """Microseconds in a period of so many, as one file of two numbers or as two files (before version 2)."""
    try:
        quota, period = " ".join(file.read_text("ascii") for file in files).split()
        cpus = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        # No such file, or the word "max" in place of a number.
        return None
    return cpus if cpus > 0 else None
