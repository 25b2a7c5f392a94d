"""`python -m benchmarks.memory`: the memory of a process that classifies 100,000 frames.

Frames of 320x240 pixels lie in buffers from the pool that videos use; a small int8 model classifies them on every CPU,
and the verdicts are written as JSONL. The resident memory after 10,000 frames, when every buffer has been used, is
compared with that at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import FOLDER, machine, test_data
from orilla_runtime.model import load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sources.base import Frame, Image
from orilla_runtime.sources.frames import FramePool

SIZE = (240, 320, 3)
CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WARM = 10_000


class Drawn:
    """Frames that a program draws, `count` of them."""

    name, live, dropped = "drawn", False, 0

    def __init__(self, count: int) -> None:
        self.total = count
        self._pool = FramePool()
        self._noise = np.random.default_rng(0).integers(0, 256, (512, *SIZE[1:]), dtype=np.uint8)

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.total):
            image = self._pool.fill(SIZE, lambda buffer: self._draw(buffer, number))  # noqa: B023
            assert image is not None
            yield Frame(image, number, self.name, number / 30, time.monotonic_ns(), datetime.now(UTC))

    def close(self) -> None:
        pass

    def _draw(self, buffer: Image | None, number: int) -> tuple[bool, Image]:
        drawn = np.empty(SIZE, np.uint8) if buffer is None else buffer
        start = number % (len(self._noise) - SIZE[0])
        np.copyto(drawn, self._noise[start : start + SIZE[0]])
        return True, drawn


def resident() -> int:
    """Bytes of this process that are in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measured(frames: int, every: int = WARM) -> dict[str, Any]:
    """Resident megabytes after every so many frames."""
    path = test_data() / "models" / "pretrainedResnet_quant.tflite"
    sizes = []
    with (
        tempfile.TemporaryDirectory() as folder,
        load(path, labels=CLASSES, mean=[0], std=[1], channels="rgb") as model,
    ):
        sink = JsonlSink(Path(folder) / "verdicts.jsonl")
        for number, _ in enumerate(Pipeline(model, Drawn(frames), [sink]), start=1):
            if number % every == 0:
                sizes.append(resident() / 1e6)
    return {
        "frames": frames,
        "resident megabytes": [round(size, 2) for size in sizes],
        "growth after the first 10,000, megabytes": round(sizes[-1] - sizes[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    found = measured(parser.parse_args().frames)
    about = machine()
    (FOLDER / "memory.json").write_text(
        json.dumps({"benchmark": "memory", "machine": about, **found}, indent=2) + "\n", encoding="utf-8"
    )
    lines = ["# Memory over many frames", "", (__doc__ or "").split("\n\n", 1)[1].strip().replace("\n", " "), ""]
    lines += [f"- {key}: {value}" for key, value in found.items()]
    lines += ["", f"{about['processor']}, {about['usable_cpus']} CPUs, {about['system']}, {about['date']}."]
    text = "\n".join(lines) + "\n"
    (FOLDER / "memory.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
