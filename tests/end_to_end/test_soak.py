"""A short run on faulty cameras, of which `python -m benchmarks.soak` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_run_on_faulty_cameras_keeps_its_memory_files_and_threads(shared_data: Path) -> None:
    from benchmarks.soak import soak

    found = soak(20_000)
    counts, samples = found["counts"], found["samples"]
    assert counts["processed"] + counts["failed"] == found["written"]["jsonl"] == found["written"]["sqlite"] == 20_000
    assert found["faults"] > 5
    assert counts["failed"] > 0
    early, late = samples[len(samples) // 4], samples[-1]
    assert late["resident_mb"] - early["resident_mb"] < 5
    for name in ("files", "threads", "children"):
        assert max(one[name] for one in samples[1:]) - min(one[name] for one in samples[1:]) <= 8
