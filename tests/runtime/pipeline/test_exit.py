"""A program that ends without closing its run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from orilla_runtime.pipeline import run
from orilla_runtime.sinks.jsonl import JsonlSink

records = run(sys.argv[1], sys.argv[2], sinks=[JsonlSink(Path(sys.argv[3]))])
for number, _ in enumerate(records):
    if number == 10:
        break
print("end")
"""


def test_workers_in_native_code_do_not_take_the_process_down(
    shared_data: Path, unzipped: Callable[[str], Path], tmp_path: Path
) -> None:
    model = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    photos, out = unzipped("imagenet_samples_256.zip") / "images", tmp_path / "out.jsonl"
    command = [sys.executable, "-c", PROGRAM, str(model), str(photos), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
    assert len(out.read_text().splitlines()) == 11
