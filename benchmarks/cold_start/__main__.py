"""`python -m benchmarks.cold_start`: time to the first result, peak memory of a process, and what is installed.

Against a bare script that does the same with OpenCV and the engine, and against MediaPipe Tasks, in interleaved rounds.
Every environment is made from a lock by pip, which compiles what it installs: nothing is compiled during a start.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cold_start import programs
from benchmarks.results import FOLDER, machine, test_data
from benchmarks.throughput import material
from orilla_runtime.bundle.manifest import Artifact, Manifest, TaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.preprocess import Preprocess

REPOSITORY = Path(__file__).parents[2]
MODEL = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
EXTRAS = ("litert", "onnx", "openvino")


@dataclass(frozen=True)
class Start:
    """One process, from its beginning to its end."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the environments are made and kept")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    folder = (arguments.folder or Path(tempfile.gettempdir()) / "orilla-cold-start").resolve()
    pythons = {extra: _device(folder, extra) for extra in EXTRAS}
    peer = _environment(folder / "mediapipe", "-r", REPOSITORY / "benchmarks" / "throughput" / "requirements.txt")
    model, bundle = test_data() / "models" / MODEL, _bundle(folder)
    picture = sorted(material.make_folder(folder / "pictures", 1))[0]
    calls: dict[str, tuple[Path, str, Path]] = {
        "bare script": (pythons["litert"], programs.BARE, model),
        "orilla, bundle": (pythons["litert"], programs.ORILLA, bundle),
        "orilla, bare model": (pythons["litert"], programs.ORILLA, model),
        "orilla run": (pythons["litert"], programs.COMMAND, bundle),
        "MediaPipe": (peer, programs.MEDIAPIPE, model),
    }
    starts: dict[str, list[Start]] = {name: [] for name in calls}
    for turn in range(arguments.rounds + 1):
        for name, (python, program, file) in calls.items():
            start = _start(python, program, file, picture)
            if turn:  # the first reads everything from the disk
                starts[name].append(start)
    sizes = {extra: _sizes(python) for extra, python in pythons.items()}
    slim = _device(folder, "litert", "--no-compile")
    _start(slim, programs.COMMAND, bundle, picture)
    _write(starts, sizes, _mib(slim), arguments.rounds)


def _start(python: Path, program: str, model: Path, picture: Path) -> Start:
    # Without what `orilla benchmark` has measured on this machine: that would choose another engine or thread count.
    environment = {**_compiling(), "XDG_CACHE_HOME": str(python.parents[2] / "empty")}
    command = [python, "-c", program, model, picture]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"this program failed: {program}")
    return Start(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _device(folder: Path, extra: str, *options: str) -> Path:
    """The Python of an environment with one extra of Orilla from its lock, and Orilla as it is now."""
    place = folder / "".join((extra, *options))
    python = _environment(place, *options, "--require-hashes", "-r", REPOSITORY / "locks" / f"{extra}.txt")
    install = ("install", "--quiet", "--no-deps", "--force-reinstall", *options, REPOSITORY)
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", *install], check=True)
    return python


def _mib(python: Path) -> float:
    """MiB of all packages but pip's and its helper's, with the bytecode that running left."""
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip())
    mine = [one for one in packages.iterdir() if one.name.partition("-")[0] not in {"pip", "setuptools", "wheel"}]
    files = [file for one in mine for file in ([one] if one.is_file() else one.rglob("*")) if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / 2**20, 1)


def _environment(place: Path, *wanted: str | Path) -> Path:
    python, ready = place / "bin" / "python", place / ".ready"
    if not ready.is_file():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        install = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", *wanted)
        subprocess.run([python, *install], check=True, env=_compiling())
        ready.touch()
    return python


def _compiling() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _bundle(folder: Path) -> Path:
    """The same model, byte for byte, as a bundle."""
    data = (test_data() / "models" / MODEL).read_bytes()
    session = LiteRT().load(data, EngineOptions(threads=1))
    labels = (test_data() / "models" / "imagenet_labels.txt").read_text(encoding="utf-8").splitlines()
    path = "artifacts/mobilenet_v2.tflite"
    artifact = Artifact(path, "tflite", "int8", session.inputs, session.outputs, recipe="tflite:int8")
    manifest = Manifest(
        name="mobilenet_v2",
        created_by="a benchmark",
        task=TaskInfo("classification", tuple(labels)),
        preprocess=Preprocess((224, 224)),
        artifacts=(artifact,),
        defaults={"tflite": path},
        files=(),
    )
    write_bundle(folder / "mobilenet_v2.orilla", manifest, {path: data})
    return folder / "mobilenet_v2.orilla"


def _sizes(python: Path) -> dict[str, float]:
    """MiB of every installed distribution, by what lies on the disk; pip is not part of a device."""
    program = """
import json, os
from importlib.metadata import distributions
sizes = {}
for one in distributions():
    files = [one.locate_file(file) for file in one.files or ()]
    sizes[one.metadata["Name"].lower()] = sum(os.path.getsize(file) for file in files if os.path.isfile(file)) / 2**20
print(json.dumps(sizes))
"""
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {name: round(size, 1) for name, size in found.items() if name not in {"pip", "setuptools", "wheel"}}


def _ratio(values: list[float], others: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles([a / b for a, b in zip(values, others, strict=True)], n=4)
    return {"median": round(middle, 3), "quartile_1": round(low, 3), "quartile_3": round(high, 3)}


def _write(starts: dict[str, list[Start]], sizes: dict[str, dict[str, float]], slim: float, rounds: int) -> None:
    bare = starts["bare script"]
    rows: list[dict[str, Any]] = []
    for name, own in starts.items():
        rows.append(
            {
                "program": name,
                "wall_to_bare": _ratio([one.seconds for one in own], [one.seconds for one in bare]),
                "cpu_to_bare": _ratio([one.cpu_seconds for one in own], [one.cpu_seconds for one in bare]),
                "seconds": round(statistics.median(one.seconds for one in own), 3),
                "peak_mib": round(statistics.median(one.peak_mib for one in own), 1),
            }
        )
    document = {"benchmark": "cold_start", "machine": machine(), "rounds": rounds, "starts": rows, "mib": sizes}
    document["mib_without_bytecode"] = slim
    (FOLDER / "cold_start.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Cold start, memory and installed size",
        "",
        f"A whole process with one decoded 1280x720 JPEG, {MODEL}, 2 threads; ratios are the median of {rounds}",
        "interleaved rounds, with quartiles. Where other work shares the CPUs, CPU time is the steadier of the two.",
        "",
        "| program | wall time / bare script | CPU time / bare script | seconds | peak memory, MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['program']} | {_shown(row['wall_to_bare'])} | {_shown(row['cpu_to_bare'])} | {row['seconds']} "
        f"| {row['peak_mib']} |"
        for row in rows
    ]
    lines += ["", "Installed, MiB without pip:", "", "| environment | in all | of it |", "| --- | --- | --- |"]
    for extra, found in sizes.items():
        parts = ", ".join(f"{name} {size}" for name, size in sorted(found.items(), key=lambda item: -item[1]))
        lines.append(f"| `{extra}` | {sum(found.values()):.0f} | {parts} |")
    described = machine()
    lines += [
        "",
        f"`litert`, installed with `pip install --no-compile`, after a first `orilla run`: {slim:.0f} MiB.",
        "",
        f"{described['processor']}, {described['usable_cpus']} CPUs, {described['system']}, {described['date']}.",
    ]
    text = "\n".join(lines) + "\n"
    (FOLDER / "cold_start.md").write_text(text, encoding="utf-8")
    print(text)


def _shown(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['quartile_1']:.2f}–{ratio['quartile_3']:.2f})"


if __name__ == "__main__":
    main()
