"""`python -m benchmarks.throughput`: frames a second of folders and videos, as a share of what the machine can do.

The ceiling is `CPUs / (CPU seconds of decoding, preprocessing and inference a frame)`, of the same functions called one
after another with one thread, in the same round. On a machine that others use too, the share is also given of the CPUs
that they left in that very round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from benchmarks.results import FOLDER, machine, test_data
from benchmarks.throughput import contenders, material
from benchmarks.throughput.measuring import Round, rounds, spread
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline.reduction import Reduction
from orilla_runtime.sources.images import PictureFile

PEER = Path(__file__).with_name("mediapipe_loop.py")
DEFAULT_MODEL = "tf2_mobilenet_v2_1.0_224_ptq.tflite"


def main() -> None:
    arguments = _arguments()
    target = Path(arguments.folder or tempfile.gettempdir()) / "orilla-throughput"
    pictures = material.make_folder(target / "folder", arguments.pictures)
    inputs: dict[str, contenders.Input] = {"folder": pictures}
    for codec in material.CODECS:
        inputs[codec] = material.make_video(pictures, codec, target, arguments.pictures)
    rows: list[dict[str, Any]] = []
    for path in arguments.model or [test_data() / "models" / DEFAULT_MODEL]:
        with load(path, artifact=None, threads=usable_cpus()) as model, model.replica() as single:
            for name, what in inputs.items():
                if name not in (arguments.only or inputs):
                    continue
                rows += _measure(Path(path).name, name, what, model, single, arguments)
    _write(rows, arguments)


def _measure(
    model_name: str, name: str, what: contenders.Input, model: Model, single: Model, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    calls: dict[str, Callable[[], Any]] = {
        "work": partial(contenders.work_alone, single, what),
        "orilla": partial(contenders.run, model, what),
        "one after another": partial(contenders.one_after_another, model, what),
    }
    if model.format == "tflite":
        calls["hand-written threads"] = partial(contenders.hand_written, model, what)
        calls["hand-written threads, by area"] = partial(contenders.hand_written, model, what, cv2.INTER_AREA)
    if isinstance(what, list) and model.preprocess is not None:
        shrink = Reduction(model.preprocess, always=True).part

        def reduced(path: Path) -> Any:
            return PictureFile(str(path), 0).decode(shrink).image  # type: ignore[union-attr]

        calls["work, reduced"] = partial(contenders.work_alone, single, what, reduced)
        calls["orilla, reduced"] = partial(contenders.run, model, what, decode="reduced")
    peer = _peer(arguments.peers, model, what) if isinstance(what, list) else None
    if peer is not None:
        calls["MediaPipe"] = peer
    for call in calls.values():
        call()
    found, results = rounds(calls, arguments.rounds)
    reference = results["work"]
    rows = []
    for contender, taken in found.items():
        if contender.startswith("work"):
            continue
        work = found["work, reduced" if contender == "orilla, reduced" else "work"]
        shares = _shares(work, taken, len(reference))
        if contender == "MediaPipe":  # Its CPU time is another process's.
            shares |= dict.fromkeys(("CPUs left", "share of the CPUs left", "CPU against the work"))
        rows.append(
            {
                "model": model_name,
                "input": name,
                "pictures": len(reference),
                "way": contender,
                **shares,
                "same label": _agreement(reference, results[contender]),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _shares(work: list[Round], taken: list[Round], frames: int) -> dict[str, Any]:
    """Frames a second, CPUs that others left, the share of the ceiling and of what was left, CPU against the work's."""
    pairs = list(zip(work, taken, strict=True))
    # CPU time is noisy too: the work of a frame is the same in all rounds.
    cost = statistics.median(one.cpu for one in work)
    return {
        "frames a second": spread([frames / one.wall for one in taken]),
        "CPUs left": spread([one.cpus_left for one in taken]),
        "share of the ceiling": spread([cost / usable_cpus() / one.wall for one in taken]),
        "share of the CPUs left": spread([cost / one.cpus_left / one.wall for one in taken]),
        "CPU against the work": spread([one.cpu / alone.cpu for alone, one in pairs]),
    }


def _agreement(reference: list[int], labels: Any) -> float | None:
    if not isinstance(labels, list) or len(labels) != len(reference):
        return None
    return round(sum(a == b for a, b in zip(reference, labels, strict=True)) / len(reference), 4)


def _peer(python: str | None, model: Model, what: list[Path]) -> Callable[[], list[int]] | None:
    """MediaPipe's ImageClassifier in an environment of its own: a process that does a round whenever it is asked."""
    if python is None or model.format != "tflite":
        return None
    path = model.path
    if model.bundle is not None:
        path = what[0].parent.parent / "peer.tflite"
        path.write_bytes(model.bundle.read(model.artifact))
    process = subprocess.Popen(
        [python, str(PEER), str(path), str(what[0].parent), str(len(what)), str(_offset(model))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def one_round() -> list[int]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        labels: list[int] = json.loads(process.stdout.readline())
        return labels

    return one_round


def _offset(model: Model) -> int:
    """Outputs in front of the first class, which a bare interpreter counts too."""
    return int(getattr(model.task, "label_offset", 0))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.throughput")
    parser.add_argument("--model", action="append", help="a .tflite file or a bundle; may be repeated")
    parser.add_argument("--pictures", type=int, default=120, help="pictures and frames a round")
    parser.add_argument("--only", action="append", choices=["folder", *material.CODECS])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", help="where the pictures and videos are made and kept")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment made from requirements.txt here")
    return parser.parse_args()


def _write(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    about = machine()
    document = {"benchmark": "throughput", "machine": about, "rounds": arguments.rounds, "rows": rows}
    (FOLDER / "throughput.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    columns = list(rows[0])
    lines = ["# Frames a second of files", "", (__doc__ or "").split("\n\n", 1)[1].strip().replace("\n", " "), ""]
    lines += ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows]
    packages = ", ".join(f"{package} {number}" for package, number in about["packages"].items())
    lines += [
        "",
        f"Medians of {arguments.rounds} rounds in turn, with quartiles. {about['processor']}, "
        f"{about['usable_cpus']} CPUs, {about['system']}, {about['date']}; {packages}.",
    ]
    text = "\n".join(lines) + "\n"
    (FOLDER / "throughput.md").write_text(text, encoding="utf-8")
    print(text)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        return f"{value['median']}" + (f" ({low}–{high})" if low is not None else "")
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
