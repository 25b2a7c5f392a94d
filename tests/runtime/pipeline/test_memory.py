"""A run of any length needs the memory of a short one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_100_000_frames_need_no_more_memory_than_10_000(shared_data: Path) -> None:
    program = "from benchmarks.memory import measured; import json; print(json.dumps(measured(100_000)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found["resident megabytes"]) == 10
    assert found["growth after the first 10,000, megabytes"] < 2
