"""`python -m benchmarks.frame`: what one frame costs from its pixels to the five best classes.

A decoded 1280x720 BGR frame against the engine's bare `invoke()` with an input that lies there already, int8 TFLite, 2
threads, in interleaved rounds. "own code" is what is left of a call without `invoke()` and OpenCV's own calls, found in
two ways: the calls do nothing while it is timed (what is left is executed, once a round), or each is timed where it is
called and taken away. A stopwatch at 130 calls costs something itself; that much, found on calls that do nothing, is
not charged to Orilla.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.imagenet import unpack
from benchmarks.nets import LITE0, write_net
from benchmarks.results import FOLDER, machine, test_data
from benchmarks.throughput import material
from orilla_converters.conversion import convert
from orilla_converters.recipe import Recipe
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.model import Model, load
from orilla_runtime.sources.picture import read_picture

MOBILENET = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
THREADS, FRAMES, WARM_UP = 2, 8, 10
CV2 = ("resize", "accumulateWeighted", "convertScaleAbs", "transpose", "cvtColor", "LUT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sorted(material.make_folder(folder / "frames", FRAMES))
        frames = [np.ascontiguousarray(read_picture(file)) for file in files]
        rows = [
            _measured("EfficientNet-Lite0", 1.10, _lite0(folder), frames, rounds),
            _measured("MobileNetV2", 1.15, test_data() / "models" / MOBILENET, frames, rounds),
        ]
    _write(rows, rounds)


def _lite0(folder: Path) -> Path:
    """EfficientNet-Lite0 as int8 TFLite in a bundle, proved on photos as any other."""
    photos, target = unpack(folder), folder / "lite0.orilla"
    write_net(LITE0, folder / "lite0.keras")
    convert(folder / "lite0.keras", data=photos, output=target, recipes=[Recipe("tflite", "int8")], timing=False)
    return target


def _measured(net: str, goal: float, path: Path, frames: list[Any], rounds: int) -> dict[str, Any]:
    bare = Interpreter(model_content=_bytes(path), num_threads=THREADS)
    bare.allocate_tensors()
    inside, ratios, alone, between = [], [], [], []
    with load(path, engine="litert", threads=THREADS) as classifier:
        for turn in range(WARM_UP + rounds):
            frame = frames[turn % FRAMES]
            base = _seconds(bare.invoke)
            whole = _seconds(lambda frame=frame: classifier(frame))  # type: ignore[misc]
            inside.append(base)
            ratios.append(whole / base)
            with _nothing_foreign():
                own, watched = _seconds(lambda frame=frame: classifier(frame)), _own_seconds(classifier, frame)  # type: ignore[misc]
            alone.append(own / base)
            between.append((_own_seconds(classifier, frame) - (watched - own)) / base)
    return {
        "net": net,
        "goal": goal,
        "invoke_ms": round(1000 * statistics.median(inside[WARM_UP:]), 3),
        "frame_to_top5": _spread(ratios[WARM_UP:]),
        "own_code": _spread(alone[WARM_UP:]),
        "own_code_by_stopwatch": _spread(between[WARM_UP:]),
    }


def _bytes(path: Path) -> bytes:
    if path.suffix == ".tflite":
        return path.read_bytes()
    with open_bundle(path) as bundle:
        return bundle.read(bundle.manifest.artifacts[0].path)


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _own_seconds(classifier: Model, frame: Any) -> float:
    with _foreign_seconds() as foreign:
        return _seconds(lambda: classifier(frame)) - sum(foreign)


@contextmanager
def _nothing_foreign() -> Iterator[None]:
    """OpenCV's calls and `invoke()` do nothing while it is open."""
    with ExitStack() as stack:
        for name in CV2:
            stack.enter_context(patch.object(cv2, name, lambda *_given, **_named: None))
        stack.enter_context(patch.object(Interpreter, "invoke", lambda _self: None))
        yield


@contextmanager
def _foreign_seconds() -> Iterator[list[float]]:
    """Collects the seconds inside OpenCV and `invoke()` while it is open."""
    foreign: list[float] = []

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            given = function(*arguments, **named)
            foreign.append(time.perf_counter() - start)
            return given

        return call

    with ExitStack() as stack:
        for name in CV2:
            stack.enter_context(patch.object(cv2, name, watched(getattr(cv2, name))))
        stack.enter_context(patch.object(Interpreter, "invoke", watched(Interpreter.invoke)))
        yield foreign


def _spread(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 4), "low": round(low, 4), "high": round(high, 4)}


def _write(rows: list[dict[str, Any]], rounds: int) -> None:
    about = machine()
    document = {"benchmark": "frame", "machine": about, "rounds": rounds, "rows": rows}
    (FOLDER / "frame.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    lines = ["# One frame, from its pixels to the five best classes", "", (__doc__ or "").split("\n\n", 1)[1].strip()]
    lines += [
        "",
        "| net | bare invoke, ms | frame to top 5 / invoke | own code / invoke | the same by stopwatch |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['net']} | {row['invoke_ms']} | {_cell(row['frame_to_top5'])} | {_cell(row['own_code'])} "
        f"| {_cell(row['own_code_by_stopwatch'])} |"
        for row in rows
    ]
    lines += ["", f"Medians of {rounds} rounds with quartiles. {about['processor']}, {about['usable_cpus']} CPUs, "]
    lines[-1] += f"{about['system']}, {about['date']}."
    text = "\n".join(lines) + "\n"
    (FOLDER / "frame.md").write_text(text, encoding="utf-8")
    print(text)


def _cell(spread: dict[str, float]) -> str:
    return f"{spread['median']:.3f} ({spread['low']:.3f}–{spread['high']:.3f})"


if __name__ == "__main__":
    main()
