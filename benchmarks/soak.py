"""`python -m benchmarks.soak`: a run on four faulty cameras for at least 200,000 verdicts.

Two HTTP cameras, an RTSP camera and a test pattern send small pictures, 240 a second each. Every two seconds one of the
three real servers goes wrong: it stalls, damages or cuts its pictures, changes their size, hangs up, or is away for a
while. A small int8 model classifies what comes; verdicts go to JSONL and SQLite. Looked at are the resident memory, the
open files, the threads and the child processes of the run, and whether its counts agree with what was written.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.memory import CLASSES, resident
from benchmarks.results import FOLDER, machine, test_data
from orilla_runtime.model import load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sinks.sqlite import SqliteSink
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.registry import open_source
from tests.runtime.sources.servers.process import Camera, running

FRAMES = 200_000
RATE = 240
FAULTS: tuple[dict[str, Any], ...] = (
    {"mode": "stall"},
    {"mode": "damaged"},
    {"size": [160, 120]},
    {"do": "drop"},
    {"do": "stop"},
)
HEALTHY = {"mode": "good", "size": [128, 96]}
SAMPLES = 20


def main() -> None:
    """Run, and write what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help="verdicts to wait for")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args()
    found = soak(asked.frames)
    document = {"machine": machine(), **found}
    (asked.results / "soak.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (asked.results / "soak.md").write_text(_page(document), encoding="utf-8")
    print(_page(document))


def soak(frames: int) -> dict[str, Any]:
    """What was seen of a run of so many verdicts."""
    model_path = test_data() / "models" / "pretrainedResnet_quant.tflite"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orilla-soak-")))
        cameras = [stack.enter_context(running(name)) for name in ("mjpeg_server", "mjpeg_server", "rtsp_server")]
        for camera in cameras:
            camera.tell(fps=RATE, **HEALTHY)
        options = SourceOptions(timeout_seconds=1.0, retry_seconds=0.2)
        addresses = [f"http://127.0.0.1:{camera.port}/" for camera in cameras[:2]]
        addresses += [f"rtsp://127.0.0.1:{cameras[2].port}/", f"pattern:128x96@{RATE}"]
        sources = [open_source(address, options) for address in addresses]
        model = stack.enter_context(load(model_path, labels=CLASSES, mean=[0], std=[1], channels="rgb"))
        sinks = [JsonlSink(folder / "verdicts.jsonl"), SqliteSink(folder / "verdicts.db")]
        pipeline = Pipeline(model, sources, sinks, max_frames=frames)
        troubles = Troubles(cameras)
        started, samples = time.monotonic(), []
        with troubles:
            for number, _ in enumerate(pipeline, start=1):
                if number % (frames // SAMPLES) == 0:
                    samples.append(sample(number))
        seconds = time.monotonic() - started
        return {
            "frames": frames,
            "seconds": round(seconds, 1),
            "faults": troubles.count,
            "counts": asdict(pipeline.counts),
            "sinks": [asdict(report) for report in pipeline.reports],
            "written": written(folder),
            "samples": samples,
        }


class Troubles:
    """Makes one camera after another go wrong, and well again, while it is entered."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self._cameras = cameras
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.count = 0

    def __enter__(self) -> Troubles:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        chance = random.Random(0)
        for camera in itertools.cycle(self._cameras):
            fault = chance.choice(FAULTS)
            if self._ended.wait(1.0):
                return
            camera.tell(**fault)
            self.count += 1
            self._ended.wait(1.0)
            camera.tell(**HEALTHY)
            if fault.get("do") == "stop":
                camera.tell(do="start")


def sample(number: int) -> dict[str, float]:
    """The process as it stands (Linux)."""
    own = Path("/proc/self")
    children = (own / "task" / str(os.getpid()) / "children").read_text().split()
    return {
        "verdicts": number,
        "resident_mb": round(resident() / 1e6, 2),
        "files": len(list((own / "fd").iterdir())),
        "threads": threading.active_count(),
        "children": len(children),
    }


def written(folder: Path) -> dict[str, int]:
    """Lines and rows that a reader finds afterwards."""
    with (folder / "verdicts.jsonl").open(encoding="utf-8") as lines:
        parsed = sum(1 for line in lines if json.loads(line))
    database = sqlite3.connect(folder / "verdicts.db")
    try:
        (rows,) = database.execute("SELECT count(*) FROM verdicts").fetchone()
    finally:
        database.close()
    return {"jsonl": parsed, "sqlite": rows}


def _page(found: dict[str, Any]) -> str:
    counts, rows = found["counts"], found["written"]
    lines = [
        "# A run on faulty cameras",
        "",
        f"{counts['processed']:,} verdicts, {counts['failed']:,} failures and {counts['dropped']:,} dropped frames in"
        f" {found['seconds'] / 60:.0f} minutes, while {found['faults']} faults were made in three of four cameras.",
        f"JSONL holds {rows['jsonl']:,} lines and SQLite {rows['sqlite']:,} rows.",
        "",
        "| verdicts | resident MB | open files | threads | children |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one['verdicts']:,} | {one['resident_mb']} | {one['files']} | {one['threads']} | {one['children']} |"
        for one in found["samples"]
    ]
    lines += ["", "`python -m benchmarks.soak` repeats it.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
