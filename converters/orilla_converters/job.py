"""One conversion job in its own process: `python -m orilla_converters.job JOB.json`.

The parent never imports TensorFlow; a converter that crashes, hangs or prints takes nobody with it. Everything that
the job says on file descriptors 1 and 2 goes to a log file, which the parent opens. The result is a JSON file.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orilla_runtime.errors import OrillaError

KINDS = {
    "describe": "orilla_converters.opening:describe_job",
    "reference": "orilla_converters.reference:reference_job",
    "raw-reference": "orilla_converters.raw.reference:reference_job",
    "diagnose": "orilla_converters.diagnose:diagnose_job",
    "equalize": "orilla_converters.equalization:equalize_job",
    "latency": "orilla_converters.latency:latency_job",
    "tflite": "orilla_converters.tflite:write_job",
    "onnx-graph": "orilla_converters.tracing:graph_job",
    "onnx": "orilla_converters.onnx:write_job",
    "savedmodel": "orilla_converters.savedmodel:write_job",
}
UNUSED_PACKAGES = ("sklearn", "matplotlib", "pandas", "scipy")
"""Keras imports these where they are installed, which takes longer than importing Keras; no job needs them."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's kind, its parameters (plain JSON) and the folder for its files.

    `kind` is a name in `KINDS` or `module:function`: a function of (parameters, folder) that gives plain JSON or None.
    """

    kind: str
    folder: Path
    parameters: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where the job is written for the worker."""
        return self.folder / "job.json"

    @property
    def log(self) -> Path:
        """Where everything goes that the job prints."""
        return self.folder / "job.log"

    @property
    def result(self) -> Path:
        """Where the worker writes `{"value": …}`, `{"refused": …}` or `{"failed": …}`."""
        return self.folder / "result.json"


def perform(job: Job) -> dict[str, Any]:
    """Do the job in this process and give what the parent is to read."""
    try:
        module, _, name = KINDS.get(job.kind, job.kind).partition(":")
        function: Callable[[Mapping[str, Any], Path], Mapping[str, Any] | None]
        function = getattr(importlib.import_module(module), name)
        return {"value": dict(function(job.parameters, job.folder) or {})}
    except OrillaError as error:
        return {"refused": {"type": type(error).__name__, "message": error.message, "remedy": error.remedy}}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"failed with {type(error).__name__}: {_one_line(error)}"}


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"


def _end_with_parent() -> None:
    """Standard input is a pipe that the parent holds: it ends when the parent does, however that happened."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Read the job, do it, write its result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path = Path(sys.argv[1])
    data = json.loads(path.read_text(encoding="utf-8"))
    job = Job(data["kind"], path.parent, data["parameters"])
    for package in UNUSED_PACKAGES:
        sys.modules[package] = None  # type: ignore[assignment]
    outcome = perform(job)
    part = job.result.with_suffix(".part")
    part.write_text(json.dumps(outcome), encoding="utf-8")
    part.replace(job.result)
    sys.stdout.flush()
    sys.stderr.flush()
    # Leave at once: TensorFlow's threads have crashed at interpreter exit, after the result was safe.
    os._exit(0)


if __name__ == "__main__":
    main()
