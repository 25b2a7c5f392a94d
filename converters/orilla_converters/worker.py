"""Runs jobs of `job.py`, each in a process of its own, with a time limit and its noise in a log file."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orilla_converters import job as entry
from orilla_converters.job import Job
from orilla_converters.memory import default_limit, resident
from orilla_runtime import errors
from orilla_runtime.errors import ConversionError, OrillaError

DEFAULT_LIMIT = 1800.0
"""Seconds that one job may take."""
_LOOK_EVERY = 0.25
"""Seconds between two looks at a job's memory."""
_LAST_BYTES = 64 * 1024
_CAUSE = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Invalid\w*|Fatal\w*|error)\b.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Task:
    """One job to run: its kind, what an error calls that which it makes, and its parameters (plain JSON)."""

    kind: str
    subject: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Excess:
    """What a job took too much of, and the options that allow more."""

    what: str
    advice: str


class Workshop:
    """A scratch folder and the worker processes that use it; leaving the block ends both, whatever happened.

    `limit`: seconds that one job may take. `side_by_side`: how many jobs `run_all` runs at a time. `memory`: bytes that
    one job may hold; by default a fair share of what the machine has. `adjustable`: these are options of the command
    that is running, and an error may name them.
    """

    def __init__(
        self,
        limit: float = DEFAULT_LIMIT,
        side_by_side: int = 1,
        memory: int | None = None,
        *,
        adjustable: bool = False,
    ) -> None:
        self.limit = limit
        self.side_by_side = max(1, side_by_side)
        self._memory, self._whole, self._at_once = memory, default_limit(), 1
        self._adjustable = adjustable
        self.scratch = Path(tempfile.mkdtemp(prefix="orilla-"))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def memory(self) -> int | None:
        """Bytes that each of the jobs of now may hold; None where nobody says it, nor the system what there is."""
        shared = None if self._whole is None else self._whole // self._at_once
        return shared if self._memory is None else self._memory

    def close(self) -> None:
        """End every running job and remove the scratch folder."""
        self._stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run_all(self, tasks: Mapping[str, Task]) -> dict[str, dict[str, Any]]:
        """Run jobs side by side; when one fails, the others are ended and its error is raised."""
        # A place for a job that is not there takes no memory.
        self._at_once = max(1, min(self.side_by_side, len(tasks)))
        pool = ThreadPoolExecutor(self._at_once)
        try:
            futures = {
                name: pool.submit(self.run, task.kind, task.subject, task.parameters) for name, task in tasks.items()
            }
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            return {name: future.result() for name, future in futures.items() if future in done}
        except BaseException:
            self._stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._at_once = 1

    def run(self, kind: str, subject: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Run one job to its end and give its result; `kind` is a name in `job.KINDS`, or `module:function`.

        `subject` names, in an error, what the job was to make (`int8.tflite`).

        Raises:
            ConversionError: the job failed, crashed, or took more time or memory than it may.
            OrillaError: what the job itself refused.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.scratch))
        job = Job(kind, folder, parameters)
        job.path.write_text(json.dumps({"kind": kind, "parameters": dict(parameters)}), encoding="utf-8")
        with job.log.open("wb") as log:
            process = self._start(job, log.fileno())
        try:
            code, excess = self._watched(process)
        finally:
            _kill(process)
            with self._lock:
                self._running.discard(process)
        if self._closed:
            raise ConversionError("The conversion was stopped.")
        if excess is not None:
            advice = excess.advice if self._adjustable else ""
            raise _failure(subject, f"took {excess.what} and was stopped", job.log, advice)
        return _outcome(job, subject, code)

    def _watched(self, process: subprocess.Popen[bytes]) -> tuple[int, _Excess | None]:
        """Wait for the end: the exit code, and what the job took too much of, if it did."""
        end = time.monotonic() + self.limit
        while True:
            try:
                return process.wait(max(0.0, min(_LOOK_EVERY, end - time.monotonic()))), None
            except subprocess.TimeoutExpired:
                if time.monotonic() >= end:
                    return -signal.SIGTERM, _Excess(f"longer than {self.limit:g} s", "Allow more with --limit SECONDS.")
            held, most = resident(process.pid), self.memory
            if most is not None and held is not None and held > most:
                words = f"more than {most / 2**30:.2g} GiB of memory"
                return -signal.SIGTERM, _Excess(words, "Allow more with --memory GIB, or make fewer at once (--jobs).")

    def _stop(self) -> None:
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for process in running:
            _kill(process)

    def _start(self, job: Job, log: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise ConversionError("The conversion was stopped.")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", entry.__name__, str(job.path)],
                stdin=subprocess.PIPE,  # never written to: its end tells the worker that this process is gone
                stdout=log,
                stderr=log,
                env=environment(job.folder),
                start_new_session=True,
            )
            self._running.add(process)
        return process


def call(kind: str, parameters: Mapping[str, Any], *, what: str, limit: float = DEFAULT_LIMIT) -> dict[str, Any]:
    """Run `module:function` of (parameters, folder) in a process of its own, without a conversion around it."""
    with Workshop(limit) as workshop:
        return workshop.run(kind, what, parameters)


def environment(folder: Path) -> dict[str, str]:
    """A worker's environment: ours, with a quiet TensorFlow on the CPU, whose temporary files go into `folder`."""
    return os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "TMPDIR": str(folder),
        # tf2onnx walks over sets of names: the order of nodes, and so the file's bytes, hang on their hashes.
        "PYTHONHASHSEED": "0",
        # Other devices change the last bits of what Keras computes, and a GPU's memory is not ours to take.
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _outcome(job: Job, subject: str, code: int) -> dict[str, Any]:
    try:
        result = json.loads(job.result.read_bytes())
    except (OSError, ValueError):
        cause = f"crashed (signal {-code})" if code < 0 else f"ended without a result (exit code {code})"
        raise _failure(subject, cause, job.log) from None
    if "refused" in result:
        refused = result["refused"]
        kind = getattr(errors, refused["type"], OrillaError)
        raise kind(refused["message"], refused["remedy"])
    if "failed" in result:
        raise _failure(subject, result["failed"], job.log)
    value: dict[str, Any] = result["value"]
    return value


def _failure(subject: str, what: str, log: Path, advice: str = "") -> ConversionError:
    """The error of a job that did not end well; its log is kept in the folder for temporary files."""
    kept = Path(tempfile.gettempdir()) / f"orilla-convert-{secrets.token_hex(4)}.log"
    with suppress(OSError):
        shutil.copyfile(log, kept)
    cause = _cause(log)
    detail = f": {cause}" if cause and cause not in what else ""
    remedy = f"{advice} Its log is {kept}.".strip()
    return ConversionError(f"{subject}: the conversion {what}{detail}".rstrip(".") + ".", remedy)


def _cause(log: Path) -> str:
    """The last line of the log that looks like the name of an error."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        found = [line.strip() for line in lines if _CAUSE.match(line.strip())]
        return found[-1][:300] if found else ""
    return ""
