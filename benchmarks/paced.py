"""`python -m benchmarks.paced`: what a camera of 30 frames a second costs, against the work itself.

A live source decodes a 720p JPEG thirty times a second, as a camera with MJPEG does, and a `Pipeline` classifies each.
The work itself is the same decoding and the same call of the model, one after the other without a pause.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import FOLDER, machine, test_data
from benchmarks.throughput.material import make_folder
from benchmarks.throughput.measuring import spread
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sources.base import Frame, Image
from orilla_runtime.sources.picture import decode_picture

RATE = 30
LABELS = "imagenet_labels.txt"


class PacedCamera:
    """Thirty decoded frames a second."""

    live, total, dropped = True, None, 0

    def __init__(self, jpegs: list[bytes], frames: int, name: str = "camera") -> None:
        self.name = name
        self._jpegs = jpegs
        self._frames = frames
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        due = time.monotonic()
        for number in range(self._frames):
            due += 1 / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            if self.closed:
                return
            captured, at = time.monotonic_ns(), datetime.now(UTC)
            yield Frame(self.decode(number), number, self.name, None, captured, at)

    def decode(self, number: int) -> Image:
        return decode_picture(self._jpegs[number % len(self._jpegs)], "frame")

    def close(self) -> None:
        self.closed = True


def work(model: Model, camera: PacedCamera, frames: int) -> tuple[float, float]:
    """CPU seconds a frame of the decoding and of the model, without a pause, in a thread as the run's are.

    In the main thread the C library gives the memory of every picture back to the system and asks for it again.
    """
    costs: list[float] = []

    def both() -> None:
        start = time.process_time()
        for number in range(frames):
            camera.decode(number)
        decoded = time.process_time()
        image = camera.decode(0)
        for _ in range(frames):
            model(image)
        costs.extend(((decoded - start) / frames, (time.process_time() - decoded) / frames))

    thread = threading.Thread(target=both)
    thread.start()
    thread.join()
    return costs[0], costs[1]


def live(model: Model, camera: PacedCamera, frames: int) -> tuple[float, list[float]]:
    """CPU seconds for each frame of the camera, and the ages of the frames at their verdicts, in milliseconds."""
    start = time.process_time()
    ages = [record.timing.age or 0.0 for record in Pipeline(model, camera) if record.timing is not None]
    return (time.process_time() - start) / frames, ages


def several(model: Model, jpegs: list[bytes], frames: int) -> dict[str, object]:
    """Four cameras at once: who gets how many verdicts, and how old the frames are."""
    cameras = [PacedCamera(jpegs, frames, f"camera {number}") for number in range(4)]
    pipeline = Pipeline(model, cameras)
    taken: Counter[str] = Counter()
    ages = []
    for record in pipeline:
        if record.frame is not None and record.timing is not None:
            taken[record.frame.source] += 1
            ages.append(record.timing.age or 0.0)
    counts = pipeline.counts
    assert counts.captured == 4 * frames, counts
    ages.sort()
    return {
        "cameras": 4,
        "frames": 4 * frames,
        "verdicts a camera": [taken[camera.name] for camera in cameras],
        "dropped": counts.dropped,
        "age, ms": {"median": round(ages[len(ages) // 2], 1), "p95": round(ages[len(ages) * 95 // 100], 1)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=120)
    arguments = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "orilla-throughput" / "folder"
    jpegs = [path.read_bytes() for path in make_folder(folder, 40)]
    rows = []
    models = test_data() / "models"
    for name in ("tf2_mobilenet_v2_1.0_224_ptq.tflite", "mobilenet_v1_0.25_224_quant_qdq.onnx"):
        said = {"labels": models / LABELS, "mean": [0], "std": [1], "channels": "rgb"} if name.endswith("onnx") else {}
        with load(models / name, **said) as model:  # type: ignore[arg-type]
            ratios, ages, taken = [], [], 0
            for _ in range(arguments.rounds):
                decoding, inference = work(model, PacedCamera(jpegs, 0), arguments.frames)
                cost, seen = live(model, PacedCamera(jpegs, arguments.frames), arguments.frames)
                # Frames for which there was no time cost their decoding only; a busy machine drops some.
                ratios.append(cost / (decoding + inference * len(seen) / arguments.frames))
                ages += seen
                taken += len(seen)
            rows.append(
                {
                    "model": name,
                    "engine": model.engine,
                    "CPU against the work": spread(ratios),
                    "age of a frame at its verdict, ms": spread(ages),
                    "frames with a verdict": round(taken / arguments.frames / arguments.rounds, 3),
                }
            )
            print(rows[-1], flush=True)
            four = several(model, jpegs, arguments.frames)
    _write(rows, four, arguments.rounds)


def _write(rows: list[dict[str, object]], four: dict[str, object], rounds: int) -> None:
    about = machine()
    document = {"benchmark": "paced", "machine": about, "rounds": rounds, "rows": rows, "four cameras": four}
    (FOLDER / "paced.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    columns = list(rows[0])
    lines = ["# A camera of 30 frames a second", "", (__doc__ or "").split("\n\n", 1)[1].strip().replace("\n", " "), ""]
    lines += ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    for row in rows:
        cells = [f"{c['median']} ({c['low']}–{c['high']})" if isinstance(c, dict) else str(c) for c in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Four such cameras at once, the second model:",
        "",
        *(f"- {key}: {value}" for key, value in four.items()),
    ]
    lines += [
        "",
        f"Medians of {rounds} rounds with quartiles. {about['processor']}, {about['usable_cpus']} CPUs, "
        f"{about['system']}, {about['date']}.",
    ]
    text = "\n".join(lines) + "\n"
    (FOLDER / "paced.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
