"""What does it cost to read a camera in a process of its own?

A 1280x720 frame on its way between two processes, through shared memory and through a pipe, beside the decoding of the
JPEG that it came as; then an MJPEG camera of 30 frames a second on loopback (the tests' server), read as `orilla run`
reads it: CPU time of both processes for each frame, memory of the reading process, and the time to the first frame.
CPU time, because it is what a board has to give; the ways are measured in turn, round by round. Linux.
"""

from __future__ import annotations

import mmap
import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.results import write
from orilla_runtime.sources.base import Frame
from orilla_runtime.sources.capture_process import CaptureProcess
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.pattern import draw_pattern
from orilla_runtime.sources.stream import stream_source
from tests.runtime.sources.servers.process import running

WIDTH, HEIGHT = 1280, 720
ROUNDS, FRAMES = 9, 40
CAMERA_FRAMES = 300


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of this process, all its threads, for each of FRAMES calls."""
    before = time.process_time()
    for _ in range(FRAMES):
        work()
    return (time.process_time() - before) * 1000 / FRAMES


def ways() -> dict[str, Callable[[], object]]:
    """What is compared; each moves or decodes one frame."""
    cv2.setNumThreads(1)
    frame = draw_pattern(WIDTH, HEIGHT, 5)
    jpeg = cv2.imencode(".jpg", frame)[1]
    memory = os.memfd_create("frames")
    os.ftruncate(memory, frame.nbytes)
    shared = np.frombuffer(mmap.mmap(memory, frame.nbytes), np.uint8).reshape(frame.shape)
    own = np.empty_like(frame)

    def through_memory() -> None:
        np.copyto(shared, frame)
        np.copyto(own, shared)

    reading, writing = os.pipe()
    bytes_out, bytes_in = memoryview(frame).cast("B"), memoryview(own).cast("B")

    def through_pipe() -> None:
        writer = threading.Thread(target=_write, args=(writing, bytes_out))
        writer.start()
        at = 0
        while at < frame.nbytes:
            at += os.readv(reading, [bytes_in[at:]])
        writer.join()

    return {
        "decode the JPEG": lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR),
        "shared memory, in and out": through_memory,
        "pipe, in and out": through_pipe,
    }


def _write(pipe: int, data: memoryview) -> None:
    at = 0
    while at < len(data):
        at += os.write(pipe, data[at:])


def camera() -> dict[str, Any]:
    """An MJPEG camera of 30 frames a second, as a run reads it."""
    with running("mjpeg_server") as server:
        server.tell(size=[WIDTH, HEIGHT], fps=30)
        started = time.monotonic()
        source = stream_source(f"http://127.0.0.1:{server.port}/", SourceOptions())
        items = iter(source)
        next(items)
        first = time.monotonic() - started
        for _ in range(30):
            next(items)
        connection = source._connection
        assert isinstance(connection, CaptureProcess)
        assert connection._child is not None
        child = connection._child.pid
        before = _cpu_seconds(child), time.process_time()
        for _ in range(CAMERA_FRAMES):
            assert isinstance(next(items), Frame)
        spent = _cpu_seconds(child) - before[0], time.process_time() - before[1]
        memory = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
        source.close()
    return {
        "reading_process_cpu_ms": round(spent[0] * 1000 / CAMERA_FRAMES, 2),
        "own_process_cpu_ms": round(spent[1] * 1000 / CAMERA_FRAMES, 2),
        "reading_process_memory_mb": round(
            int(next(line for line in memory if line.startswith("Pss:")).split()[1]) / 1024
        ),
        "seconds_to_first_frame": round(first, 2),
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    compared = ways()
    measured: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(ROUNDS):
        for name, work in compared.items():
            measured[name].append(cpu_ms(work))
    decode = measured["decode the JPEG"]
    rows = []
    for name, times in measured.items():
        shares = sorted(time / whole for time, whole in zip(times, decode, strict=True))
        rows.append(
            {
                "way": name,
                "cpu_ms_a_frame": round(statistics.median(times), 3),
                "of_decoding": round(statistics.median(shares), 3),
                "spread": f"{shares[1]:.3f} to {shares[-2]:.3f}",
            }
        )
    write("camera_process", f"A camera in a process of its own, {WIDTH}x{HEIGHT}", camera(), rows)


if __name__ == "__main__":
    main()
