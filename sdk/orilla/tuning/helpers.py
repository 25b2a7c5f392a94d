"""Further workers of the same study in processes of their own, which end when this one does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

_PATIENCE = 600.0
"""Seconds for the epoch that a worker is in."""


@contextmanager
def helpers(count: int, job: Mapping[str, Any]) -> Iterator[None]:
    """Start `count` workers with `job`; after the block they stop at their next epoch."""
    line = (json.dumps(job) + "\n").encode()
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", "from orilla.tuning.helpers import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            started.append(process)
            assert process.stdin is not None
            process.stdin.write(line)
            process.stdin.flush()
        yield
    finally:
        for process in started:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its standard input ends: that is how it hears that it should stop, also where this process was killed."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    except BaseException:
        process.kill()
        raise


def main() -> None:
    """Work until the study is complete or standard input ends."""
    from orilla.tuning.tune import help_with
    from orilla_runtime.errors import OrillaError

    # Ctrl-C reaches every process of a terminal; the one that started this says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.stdin.buffer.readline())
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    try:
        help_with(job, ended.is_set)
    except OrillaError:
        sys.exit(1)  # The other workers meet the same fault, and one of them tells of it.


def _wait_for_end(ended: threading.Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    ended.set()
