"""Does training on ten times as many pictures take more memory?

The small net at 32 pixels is trained for one epoch on 5,000 and on 50,000 generated pictures, each in a process of its
own. `VmHWM` is its largest resident memory, `RssAnon` the part that is not backed by a file, looked at every 20 ms
(Linux). The pixels of 45,000 pictures would be 138 MB as bytes and 553 MB as numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.results import write

COUNTS, CLASSES, SIDE = (5_000, 50_000), 10, 32

PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from orilla.training import train
most, done = 0, threading.Event()
def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
def look():
    global most
    while not done.wait(0.02):
        most = max(most, status("RssAnon"))
watcher = threading.Thread(target=look)
watcher.start()
train(sys.argv[1], output=Path(sys.argv[1]).with_suffix(".keras"), epochs=1, batch_size=64, image_size=int(sys.argv[2]))
done.set()
watcher.join()
print(json.dumps({"peak_bytes": status("VmHWM"), "peak_anonymous_bytes": most}))
"""


def generate(folder: Path, count: int) -> None:
    """Pictures of blurred noise, in folders."""
    drawn = np.random.default_rng(0)
    for number in range(count):
        place = folder / str(number % CLASSES)
        if number < CLASSES:
            place.mkdir(parents=True)
        coarse = drawn.integers(0, 256, (4, 4, 3), np.uint8)
        cv2.imwrite(str(place / f"{number:05}.jpg"), cv2.resize(coarse, (SIDE, SIDE)))


def main() -> None:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for count in COUNTS:
            folder = Path(name) / f"pictures{count}"
            generate(folder, count)
            start = time.monotonic()
            command = [sys.executable, "-c", PROGRAM, str(folder), str(SIDE)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            rows.append({"pictures": count, **found, "seconds": round(time.monotonic() - start, 1)})
    few, many = rows
    figures = {
        f"{name}_of_{COUNTS[1]}_over_{COUNTS[0]}": round(many[name] / few[name], 3)
        for name in ("peak_bytes", "peak_anonymous_bytes")
    }
    figures["more_bytes_for_each_further_picture"] = round(
        (many["peak_anonymous_bytes"] - few["peak_anonymous_bytes"]) / (COUNTS[1] - COUNTS[0])
    )
    write("training_memory", "Memory of training the small net", figures, rows)


if __name__ == "__main__":
    main()
