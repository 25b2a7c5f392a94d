"""How long the six artifacts of EfficientNet-Lite0 take, verified on 200 ImageNet photos, with report, on two CPUs.

`python -m benchmarks.conversion_time` on a machine that does nothing else; five to ten minutes. It runs the command
that a user would, `orilla convert efficientnet_lite0 --report …`, once as it stands and once with `--jobs 2`.
`--photos 10` is for a look at whether it works: what it finds is printed and not kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.imagenet import unpack
from benchmarks.nets import LITE0
from benchmarks.results import write

MINUTES = 6.0
"""The goal, on two CPUs."""
PHOTOS, CALIBRATION, CPUS = 200, 100, 2
STEPS = ("read", "calibrate", "write", "verify", "measure", "bundle")
ORILLA = (sys.executable, "-c", "from orilla.cli import main; main()")


def some(photos: Path, judged: int) -> Path:
    """A table of so many photos that `judged` are left to judge by; spread over all of them."""
    with photos.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    wanted = judged + min(CALIBRATION, judged)
    chosen = [rows[place * len(rows) // wanted] for place in range(wanted)]
    table = photos.with_name("some.csv")
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *chosen])
    return table


def timed(table: Path, folder: Path, jobs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One conversion: a row of the table, and what the command says of the artifacts."""
    output = folder / f"jobs-{jobs}.orilla"
    command = [*ORILLA, "convert", LITE0, "--data", str(table), "--output", str(output), "--json"]
    command += ["--report", str(output.with_suffix(".html")), "--jobs", str(jobs)]
    before, start = _children(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stdout is not None
    begun, said = [("start", start)], []
    for line in process.stderr:
        begun.append((line.partition(":")[0], time.monotonic()))
        said.append(line)
    answer = process.stdout.read()
    if process.wait() != 0:
        raise SystemExit("".join(said))
    end = time.monotonic()
    result = json.loads(answer)
    row = {
        "jobs": jobs,
        "artifacts": len(result["artifacts"]),
        "calibrated_on": result["calibrated_on"],
        "judged_on": result["artifacts"][0]["n"],
        "minutes": round((end - start) / 60, 2),
        "cpu_minutes": round((_children() - before) / 60, 2),
        **{f"{step}_s": round(seconds, 1) for step, seconds in _spent(begun, end).items()},
        "bundle_bytes": output.stat().st_size,
        "goal": f"at most {MINUTES:g} min",
        "reached": end - start <= MINUTES * 60,
    }
    # Where the files lay is nobody's business.
    return row, {key: value for key, value in result.items() if key not in {"bundle", "report"}}


def _spent(begun: list[tuple[str, float]], end: float) -> dict[str, float]:
    """Seconds of each step, from its line to the next; the building of the model comes before the first."""
    spent = dict.fromkeys(("start", *STEPS), 0.0)
    until = [when for _, when in begun[1:]] + [end]
    here = "start"
    for (name, when), stop in zip(begun, until, strict=True):
        here = name if name in spent else here  # a note belongs to the step that it came in
        spent[here] += stop - when
    return spent


def _children() -> float:
    """CPU seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description="Six artifacts of EfficientNet-Lite0, verified: how long?")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="how many judge; another number is not kept")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = some(unpack(folder), given.photos)
        found = [timed(table, folder, jobs) for jobs in given.jobs]
    rows = [row for row, _ in found]
    if given.photos != PHOTOS:
        print(json.dumps(rows, indent=2))
        return
    figures = {"net": LITE0, "cpus": CPUS, "goal": f"at most {MINUTES:g} minutes, {PHOTOS} photos judged"}
    write("conversion_time", "Six artifacts of EfficientNet-Lite0", figures, rows, {"last": found[-1][1]})


if __name__ == "__main__":
    main()
