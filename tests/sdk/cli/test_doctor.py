"""`orilla doctor` says what works, and its JSON holds no folder of yours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orilla.cli import main; main()", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_what_works_here() -> None:
    done = doctor()
    assert done.returncode == 0, done.stderr
    for line in ("ok  litert", "ok  onnxruntime", "ok  opencv", "ok  desk", "cameras"):
        assert line in done.stdout
    assert "ran a model on cpu" in done.stdout


def test_json_for_a_bug_report() -> None:
    done = doctor("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["engines"]["litert"]["devices"] == ["cpu"]
    assert found["engines"]["onnxruntime"]["version"]
    assert found["usable_cpus"] >= 1
    assert found["desk"]["tensorflow"]
    assert str(Path.home()) not in done.stdout
