"""Calibration is streamed: many pictures take the memory of few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_converters.worker import call

FEW = 20


def pictures(path: Path, count: int, side: int) -> TensorFile:
    random = np.random.default_rng(0)
    drawn = (random.integers(0, 256, (1, side, side, 3), dtype=np.uint8) for _ in range(count))
    return write_tensors(path, drawn, (side, side, 3))


def growth(format_: str, side: int, many: int, folder: Path) -> tuple[int, int]:
    """By how many bytes the peak grows from few to many pictures, and the peak of few."""
    samples = {
        name: pictures(folder / f"{name}.u8", count, side).to_json() for name, count in (("few", FEW), ("many", many))
    }
    value = call("memory_jobs:job", {"format": format_, **samples}, what=format_)
    _, before, after = value["peaks"]
    return after - before, before


@pytest.mark.usefixtures("worker_path")
def test_onnx_keeps_no_ranges_and_no_activations(tmp_path: Path) -> None:
    """ONNX Runtime's calibrator keeps two numbers a tensor and picture unless it is fed one at a time."""
    grown, before = growth("onnx", 8, 400, tmp_path)
    assert grown < before / 10


@pytest.mark.usefixtures("worker_path")
def test_tflite_keeps_no_pictures(tmp_path: Path) -> None:
    side, many = 128, 1000
    grown, before = growth("tflite", side, many, tmp_path)
    assert grown < before / 10
    assert grown < many * side * side * 3 / 2, "the pages of a memory map would count"
