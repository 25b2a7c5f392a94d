"""`python -m benchmarks.auto_choice [MODEL …]`: is what `--engine auto` takes as fast as the best of all ways?

For every model, and every precision of a bundle: it is measured as a user's first long run would (some seconds), then
all engines and numbers of threads run in interleaved rounds. The figure is the median over rounds of the chosen way's
time over that of the way that turns out the best. Two ways within a few percent of each other change places.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, machine, test_data
from orilla_runtime.bundle.mark import is_bundle
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines.base import EngineOptions, Session
from orilla_runtime.engines.registry import engines_for
from orilla_runtime.errors import OrillaError
from orilla_runtime.formats.sniff import read_model
from orilla_runtime.loading_bundle import runnable, same_work
from orilla_runtime.loading_file import runnable as bare
from orilla_runtime.tuning.choosing import choose
from orilla_runtime.tuning.measuring import drawn, thread_counts
from orilla_runtime.tuning.speeds import Runnable

MODELS = (
    "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "mobilenet_v1_0.25_224_quant.tflite",
    "mobilenet_v1_0.25_224_1_metadata_1.tflite",
    "mobilenet_v3_small_1.0_224.uint8.tflite",
    "mobilenet_v1_0.25_224_nhwc.onnx",
    "squeezenet_int8_qdq.onnx",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="*", type=Path, default=[test_data() / "models" / name for name in MODELS])
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        os.environ["XDG_CACHE_HOME"] = cache
        for path in arguments.model:
            for name, group in _groups(stack, path):
                rows.append({**_judged(name, group, arguments.rounds), "rounds": arguments.rounds})
                print(rows[-1], flush=True)
                _write(rows)


def _groups(stack: ExitStack, path: Path) -> list[tuple[str, list[Runnable]]]:
    if not is_bundle(path):
        data = path.read_bytes()
        return [(path.name, [bare(path.name, read_model(data, path.name).format, data)])]
    bundle = stack.enter_context(open_bundle(path))
    first = {entry.precision: entry for entry in reversed(list(bundle.manifest.artifacts))}
    return [
        (f"{path.stem} {precision}", [runnable(bundle, one) for one in same_work(bundle, entry)])
        for precision, entry in first.items()
    ]


def _judged(name: str, group: Sequence[Runnable], rounds: int) -> dict[str, Any]:
    began = time.perf_counter()
    chosen = choose(group, "auto", EngineOptions(), "anew")
    seconds = time.perf_counter() - began
    taken = (chosen.model.name, chosen.engine.name, chosen.threads)
    chosen.session.close()
    times = _times(group, rounds)
    medians = {way: statistics.median(values) for way, values in times.items()}
    best = min(medians, key=medians.__getitem__)
    low, middle, high = statistics.quantiles([a / b for a, b in zip(times[taken], times[best], strict=True)], n=4)
    return {
        "model": name,
        "auto": _shown(taken),
        "best": _shown(best),
        "ways": len(times),
        "ratio": round(middle, 3),
        "quartile_1": round(low, 3),
        "quartile_3": round(high, 3),
        "worst_way": round(max(medians.values()) / medians[best], 2),
        "seconds_to_measure": round(seconds, 1),
    }


def _times(group: Sequence[Runnable], rounds: int) -> dict[tuple[str, str, int | None], list[float]]:
    sessions: dict[tuple[str, str, int | None], Session] = {}
    for model in group:
        for engine in engines_for(model.format):
            for threads in thread_counts():
                try:
                    session = engine.load(model.read(), EngineOptions(threads=threads))
                except OrillaError:
                    break
                sessions[model.name, engine.name, threads] = session
    inputs = {way: [drawn(spec) for spec in session.inputs] for way, session in sessions.items()}
    times: dict[tuple[str, str, int | None], list[float]] = {way: [] for way in sessions}
    for turn in range(rounds + 1):
        for way, session in sessions.items():
            session.run(*inputs[way])  # as the way before left the caches and threads
            start = time.perf_counter()
            for _ in range(3):
                session.run(*inputs[way])
            if turn:
                times[way].append(time.perf_counter() - start)
    for session in sessions.values():
        session.close()
    return times


def _shown(way: tuple[str, str, int | None]) -> str:
    return f"{Path(way[0]).name} on {way[1]}, {way[2]} threads"


def _write(new: list[dict[str, Any]]) -> None:
    """After each model, beside those of earlier runs."""
    target = FOLDER / "auto_choice.json"
    known = json.loads(target.read_text(encoding="utf-8"))["models"] if target.is_file() else []
    rows = list({row["model"]: row for row in [*known, *new]}.values())
    document = {"benchmark": "auto_choice", "machine": machine(), "models": rows}
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    described = machine()
    lines = [
        "# What `--engine auto` takes, against the best of all ways",
        "",
        "Time of the chosen way over the best one's: median of paired rounds, with quartiles. The last",
        "columns are the slowest way over the best, and the seconds that measuring took, once.",
        "",
        "| model | auto takes | the best | of ways | ratio | slowest | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['model']} | {row['auto']} | {row['best']} | {row['ways']} "
        f"| {row['ratio']:.2f} ({row['quartile_1']:.2f}–{row['quartile_3']:.2f}) | {row['worst_way']} "
        f"| {row['seconds_to_measure']} |"
        for row in rows
    ]
    where = f"{described['processor']}, {described['usable_cpus']} CPUs, {described['system']}, {described['date']}"
    lines += ["", f"{where}."]
    (FOLDER / "auto_choice.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
