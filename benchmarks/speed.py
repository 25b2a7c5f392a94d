"""`python -m benchmarks.speed [--peers PYTHON]`: the speed goals of the runtime, all in one report.

Runs the benchmarks that measure them, one after another, and gathers their results in `results/speed.*` with a plot.
`--collect` only gathers what earlier runs left. Give it a machine that does nothing else: a quarter of an hour on two
cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.results import FOLDER, machine

RUNS = ("downscaling", "frame", "auto_choice", "paced", "throughput --pictures 480 --rounds 7", "memory", "cold_start")


@dataclass(frozen=True)
class Figure:
    """One measured figure of a goal. `limit` is what it must not exceed, or what it must reach where `at_least`."""

    goal: int
    what: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def frame(found: dict[str, Any]) -> Iterator[Figure]:
    for row in found["rows"]:
        yield Figure(
            1, f"{row['net']}: 720p frame to top 5, over bare invoke", row["frame_to_top5"]["median"], row["goal"]
        )
        for how, key in (("those emptied", "own_code"), ("by stopwatch", "own_code_by_stopwatch")):
            yield Figure(1, f"{row['net']}: of it neither engine nor OpenCV, {how}", row[key]["median"], 0.03)


def throughput(found: dict[str, Any]) -> Iterator[Figure]:
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in found["rows"]:
        groups.setdefault((row["model"], row["input"]), {})[row["way"]] = row
    for (model, kind), ways in groups.items():
        goal, name, ours = 2 if kind == "folder" else 3, f"{_short(model)}, {kind}", _rate(ways["orilla"])
        yield Figure(goal, f"{name}: share of the ceiling", _share(ways["orilla"]), 0.90, at_least=True)
        if "orilla, reduced" in ways:
            reduced = _share(ways["orilla, reduced"])
            yield Figure(goal, f"{name}: share of the ceiling, reduced decoding", reduced, 0.90, at_least=True)
        for loop in ("hand-written threads", "hand-written threads, by area"):
            same = f"{ways[loop]['same label']:.0%} of its labels right"
            yield Figure(goal, f"{name}: over {loop} ({same})", ours / _rate(ways[loop]), 1.0, at_least=True)
        if "MediaPipe" in ways:
            yield Figure(goal, f"{name}: over MediaPipe", ours / _rate(ways["MediaPipe"]), 2.0, at_least=True)


def _short(model: str) -> str:
    return "MobileNetV2" if "mobilenet_v2" in model else model.partition(".")[0]


def _rate(row: dict[str, Any]) -> float:
    return float(row["frames a second"]["median"])


def _share(row: dict[str, Any]) -> float:
    return float(row["share of the ceiling"]["median"])


def downscaling(found: dict[str, Any]) -> Iterator[Figure]:
    by_name = {way["way"]: way for way in found["ways"]}
    ours, linear = by_name["Orilla: rows of groups"], by_name["INTER_LINEAR"]
    alone = next(size for size in found["sizes"] if size["picture"] == "1280x720")
    yield Figure(
        4, "INTER_AREA's time over ours, among other ways", 1 / ours["cost"]["one_thread"][1], 5, at_least=True
    )
    yield Figure(4, "INTER_AREA's time over ours, called again and again", 1 / alone["cost"]["one_thread"][1], 5, True)
    yield Figure(4, "mean error, levels of 255", ours["mean_error"], 3)
    yield Figure(4, "mean error over INTER_LINEAR's", ours["mean_error"] / linear["mean_error"], 0.25)
    for row in found["agreement"]:
        yield Figure(4, f"{row['net']}, {row['view']}: same top-1 as INTER_AREA", row["own"], 0.99, at_least=True)


def cold_start(found: dict[str, Any]) -> Iterator[Figure]:
    starts = {start["program"]: start for start in found["starts"]}
    peer = starts["MediaPipe"]
    for name in ("orilla, bundle", "orilla, bare model"):
        start = starts[name]
        yield Figure(5, f"{name}: first result, over a bare script", start["wall_to_bare"]["median"], 1.15)
        yield Figure(5, f"{name}: MediaPipe's time over ours", peer["seconds"] / start["seconds"], 4, at_least=True)
        yield Figure(5, f"{name}: peak memory over MediaPipe's", start["peak_mib"] / peer["peak_mib"], 0.6)
    yield Figure(5, "installed with LiteRT, MB", _mega(sum(found["mib"]["litert"].values())), 300)
    yield Figure(5, "installed with LiteRT by --no-compile, MB", _mega(found["mib_without_bytecode"]), 300)


def _mega(mib: float) -> float:
    return mib * 2**20 / 1e6


def auto_choice(found: dict[str, Any]) -> Iterator[Figure]:
    for row in found["models"]:
        yield Figure(6, f"{row['model']}: over the best engine and threads", row["ratio"], 1.05)


def paced(found: dict[str, Any]) -> Iterator[Figure]:
    for row in found["rows"]:
        yield Figure(
            7, f"{row['model']}: CPU of a 30 fps loop over the work", _median(row["CPU against the work"]), 1.3
        )


def memory(found: dict[str, Any]) -> Iterator[Figure]:
    yield Figure(8, "growth over 90,000 frames, MB", found["growth after the first 10,000, megabytes"], 2)


def _median(value: Any) -> float:
    return float(value["median"] if isinstance(value, dict) else value)


READERS: dict[str, Callable[[dict[str, Any]], Iterator[Figure]]] = {
    "frame": frame,
    "throughput": throughput,
    "downscaling": downscaling,
    "cold_start": cold_start,
    "auto_choice": auto_choice,
    "paced": paced,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment made from throughput/requirements.txt")
    parser.add_argument("--collect", action="store_true", help="run nothing, gather what is there")
    arguments = parser.parse_args()
    for run in () if arguments.collect else RUNS:
        name, *options = run.split()
        peers = ["--peers", arguments.peers] if name == "throughput" and arguments.peers else []
        print(f"== {run}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options, *peers], check=True)
    figures = [figure for name, read in READERS.items() for figure in read(_result(name))]
    _write(figures)


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _write(figures: list[Figure]) -> None:
    about = machine()
    rows = [{**asdict(figure), "value": round(figure.value, 4), "met": figure.met} for figure in figures]
    document = {"benchmark": "speed", "machine": about, "figures": rows}
    (FOLDER / "speed.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    _plot(figures)
    lines = [
        "# The speed goals of the runtime",
        "",
        (__doc__ or "").strip(),
        "",
        "![The figures over their limits](speed.png)",
    ]
    lines += ["", "| goal | figure | measured | wanted | |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {figure.goal} | {figure.what} | {figure.value:.3g} | {'≥' if figure.at_least else '≤'} {figure.limit:g} "
        f"| {'met' if figure.met else '**missed**'} |"
        for figure in figures
    ]
    met = sum(figure.met for figure in figures)
    lines += ["", f"{met} of {len(figures)} met. Spreads and all other figures stand in the results of each benchmark."]
    lines += ["", f"{about['processor']}, {about['usable_cpus']} CPUs, {about['system']}, {about['date']}."]
    text = "\n".join(lines) + "\n"
    (FOLDER / "speed.md").write_text(text, encoding="utf-8")
    print(text)


def _plot(figures: list[Figure]) -> None:
    """A bar a figure: how far on the good (left) or the bad side of its limit, as a factor."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Page

    page = Page(figsize=(10, 0.28 * len(figures) + 1), layout="constrained")
    axes = page.subplots()
    small = 1e-3
    ratios = [
        max(figure.limit / max(figure.value, small) if figure.at_least else figure.value / figure.limit, 0.05)
        for figure in figures
    ]
    axes.barh(
        range(len(figures)),
        [ratio - 1 for ratio in ratios],
        left=1,
        color=["#2a7f62" if f.met else "#b3472f" for f in figures],
    )
    axes.set_yticks(range(len(figures)), [f"{figure.goal}  {figure.what}" for figure in figures], fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("measured over limit: left of the line is better than wanted")
    FigureCanvasAgg(page).print_png(str(FOLDER / "speed.png"))


if __name__ == "__main__":
    main()
