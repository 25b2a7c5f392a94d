"""A worker lives as long as its process, and is dead at once when that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orilla.tuning.presence import forget, lives, present

PROGRAM = """
import sys, pathlib
from orilla.tuning.presence import present
with present(pathlib.Path(sys.argv[1])) as name:
    print(name, flush=True)
    sys.stdin.read()
"""


def test_a_worker_of_this_process(tmp_path: Path) -> None:
    with present(tmp_path / "workers") as name, present(tmp_path / "workers") as other:
        assert name != other
        assert lives(tmp_path / "workers", name)
    assert not lives(tmp_path / "workers", name)
    assert not list((tmp_path / "workers").iterdir())


def test_a_killed_worker_is_dead_at_once(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        name = worker.stdout.readline().strip()
        assert lives(tmp_path, name)
        worker.kill()
        worker.wait(30)
        assert not lives(tmp_path, name)
    forget(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    outside = tmp_path / "kept"
    outside.write_text("x")
    (tmp_path / "workers").mkdir()
    assert not lives(tmp_path / "workers", "../kept")
    forget(tmp_path / "workers", "../kept")
    assert outside.exists()
