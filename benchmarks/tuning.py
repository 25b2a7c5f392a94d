"""A search of twelve trials on the digits: one worker is killed, then two share the rest of the study.

Is every trial run, none twice, and what does the search find beside the model's own recipe?
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, write
from orilla.data.digits import write_digits

TRIALS, EPOCHS, SIZE = 12, 8, 16
KILLED_AFTER = 2
"""Trials that are over when the first worker is killed, in the middle of the next."""


def worker(data: Path, study: Path) -> subprocess.Popen[str]:
    """`orilla tune` in a process of its own."""
    options = ("--trials", TRIALS, "--epochs", EPOCHS, "--image-size", SIZE, "--json")
    words = [str(word) for word in ("tune", data, "--output", study, *options)]
    line = [sys.executable, "-c", "from orilla.cli import main; main()", *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_in_a_trial(process: subprocess.Popen[str]) -> str:
    """SIGKILL some moments after so many trials; what it had said by then."""
    assert process.stderr is not None
    told = []
    while len(told) < KILLED_AFTER:
        line = process.stderr.readline()
        if not line:
            raise RuntimeError("the worker ended by itself")
        told += [line] if line.startswith("trial ") else []
    time.sleep(3)
    process.kill()
    process.communicate()
    return "".join(told)


def row(trial: dict[str, Any], letters: dict[str, str]) -> dict[str, Any]:
    """A line of the table."""
    letter = letters.setdefault(trial["worker"], chr(ord("A") + len(letters)))
    return {
        "trial": trial["number"],
        "worker": letter,
        "state": trial["state"],
        "validation": "" if trial["accuracy"] is None else round(trial["accuracy"], 4),
        "loss": "" if trial["loss"] is None else round(trial["loss"], 4),
        "epochs": trial["epochs"],
        "seconds": round(trial["seconds"], 1),
        **({"recipe": "default"} if trial["default"] else {"recipe": _recipe(trial["values"])}),
    }


def _recipe(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def judged(found: dict[str, Any]) -> str:
    """A candidate in half a line."""
    test = found["test"]
    return (
        f"trial {found['number']}, validation {found['accuracy']:.4f} (loss {found['loss']:.4f}), "
        f"test {test['top1']:.4f} ({test['low']:.4f} to {test['high']:.4f} of {test['n']})"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        data, study = Path(name) / "digits", Path(name) / "study"
        write_digits(data)
        start = time.monotonic()
        kill_in_a_trial(worker(data, study))
        both = [worker(data, study), worker(data, study)]
        (printed, told), (again, _) = (process.communicate() for process in both)
        print(told)
        minutes = (time.monotonic() - start) / 60
        result = json.loads(printed)
        assert result["best"] == json.loads(again)["best"], "both workers report the same"
        shutil.copyfile(study / "search.png", FOLDER / "tuning.png")
    letters: dict[str, str] = {}
    figures = {
        "command": f"orilla tune digits --trials {TRIALS} --epochs {EPOCHS} --image-size {SIZE}",
        "course": f"worker A was killed after {KILLED_AFTER} trials; then B and C shared the study",
        "default": judged(result["default"]),
        "best": judged(result["best"]),
        "changes": _recipe(result["best"]["changes"]),
        "minutes": round(minutes, 1),
    }
    write(
        "tuning", "A search of twelve trials on the digits", figures, [row(each, letters) for each in result["trials"]]
    )


if __name__ == "__main__":
    main()
