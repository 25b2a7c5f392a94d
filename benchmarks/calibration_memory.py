"""Does calibration on many pictures take more memory than on few?

MobileNetV1 0.25 is written as int8 TFLite and ONNX, calibrated on 100 and on 1,000 photos of cats and dogs. Each is a
job in a process of its own, whose largest resident memory is read when it is done (`VmHWM`, Linux).
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.mobilenet import PREPROCESS
from benchmarks.nets import MOBILENET, let_workers_find_benchmarks, write_net
from benchmarks.results import test_data, write
from orilla_converters.calibration import read_pictures
from orilla_converters.job import KINDS, Job, perform
from orilla_converters.tensor_file import TensorFile
from orilla_converters.worker import Workshop
from orilla_runtime.labelled.reading import read_labelled

COUNTS = (100, 1000)
LABELS = [f"class {number}" for number in range(1000)]


def measured_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: do another job, and say what memory this process took at most, in bytes."""
    inner = Job(parameters["kind"], folder, parameters["parameters"])
    assert inner.kind in KINDS
    value = perform(inner)["value"]
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return {"peak": peak, **value}


def photos(workshop: Workshop, count: int) -> TensorFile:
    """The first photos as the model takes them."""
    folder = workshop.scratch / "photos"
    if not folder.exists():
        with zipfile.ZipFile(test_data() / "cats_dogs_180.zip") as archive:
            archive.extractall(folder)
    data = read_labelled(next(path.parent for path in folder.rglob("cat") if path.is_dir()))
    return read_pictures(data, range(count), PREPROCESS, workshop.scratch / f"{count}.u8").tensors


def main() -> None:
    let_workers_find_benchmarks()
    rows: list[dict[str, Any]] = []
    with Workshop() as workshop:
        model = workshop.scratch / "net.keras"
        write_net(MOBILENET, model)
        source = {"model": str(model), "raw": True}
        graph = workshop.run("onnx-graph", "the graph", source | {"batch": "1"})
        graph = {"graph": graph["path"], "ports": graph["ports"], "layers": graph["layers"]}
        for count in COUNTS:
            sample = {"calibration": photos(workshop, count).to_json(), "labels": LABELS, "channels": "rgb"}
            for format_, given in (("tflite", source), ("onnx", graph)):
                parameters = {**given, **sample, "recipe": f"{format_}:int8,calibration={count}"}
                start = time.monotonic()
                job = {"kind": format_, "parameters": parameters}
                peak = workshop.run("benchmarks.calibration_memory:measured_job", format_, job)["peak"]
                seconds = round(time.monotonic() - start, 1)
                rows.append({"artifact": f"int8.{format_}", "photos": count, "peak_bytes": peak, "seconds": seconds})
    peaks = {(row["artifact"], row["photos"]): row["peak_bytes"] for row in rows}
    ratios = {
        f"peak_of_{COUNTS[1]}_over_{COUNTS[0]}_{name}": round(peaks[name, COUNTS[1]] / peaks[name, COUNTS[0]], 3)
        for name in sorted({row["artifact"] for row in rows})
    }
    write("calibration_memory", "Memory of int8 calibration, MobileNetV1 0.25 at 224 pixels", ratios, rows)


if __name__ == "__main__":
    main()
