"""A camera that Orilla does not know, an industrial one with a library of its own, as a source.

python samples/04_own_camera.py parts.orilla photos/      # a simulated camera photographs the pictures in photos/
"""

import logging
import sys
import time
from pathlib import Path

import cv2
import numpy as np

import orilla
from orilla_runtime.sources.connection import Arrival, Lost, arrival
from orilla_runtime.sources.live import LiveSource
from orilla_runtime.sources.options import SourceOptions


class MakersCamera:
    """Stands for the maker's library: pictures as bare grey bytes, and a cable that falls out once."""

    def __init__(self, folder: str) -> None:
        self.parts = sorted(Path(folder).glob("*.png"))
        self.cable_falls_out_in = 5

    def grab(self, wait_ms: int) -> tuple[int, int, bytes] | None:
        time.sleep(wait_ms / 1000)
        self.cable_falls_out_in -= 1
        if self.cable_falls_out_in == 0 or not self.parts:
            return None
        grey = cv2.imread(str(self.parts.pop(0)), cv2.IMREAD_GRAYSCALE)
        return grey.shape[0], grey.shape[1], grey.tobytes()


class LineCamera:
    """What Orilla has to know: how to open, read, wake up and close. It reconnects, drops, counts and times itself."""

    def open(self) -> None:
        """Connect; with a real library its calls would stand here, and may raise what they like."""

    def read(self) -> Arrival | None:
        taken = camera.grab(wait_ms=50)
        if taken is None:
            raise Lost("gives no picture")
        height, width, pixels = taken
        return arrival(lambda: cv2.cvtColor(np.frombuffer(pixels, np.uint8).reshape(height, width), cv2.COLOR_GRAY2BGR))

    def abort(self) -> None:
        """Called from another thread to end a `read` that hangs; this one has a time limit of its own."""

    def close(self) -> None:
        """Release everything; a new LineCamera is made for the next attempt."""


logging.basicConfig(format="%(message)s")
bundle, folder = sys.argv[1:]
camera = MakersCamera(folder)
line = LiveSource("line 3", LineCamera, SourceOptions(retries=2, retry_seconds=0.05))
for frame, result in orilla.run(bundle, source=line):
    print(f"{frame.source}, picture {frame.index}: {result.top.label} ({result.top.score:.0%})")
