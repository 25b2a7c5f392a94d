"""The committed results of the benchmarks keep the promises that were made."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import REPOSITORY


def result(name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    document = json.loads((REPOSITORY / "benchmarks" / "results" / f"{name}.json").read_text())
    return document, {row["artifact"]: row for row in document["artifacts"]}


def test_cats_and_dogs() -> None:
    document, rows = result("cats_dogs")
    assert document["minutes_of_training"] <= 10
    assert document["keras_top1"] >= 0.97
    for format_ in ("tflite", "onnx"):
        int8 = rows[f"artifacts/int8.{format_}"]
        assert int8["top1"] >= document["keras_top1"] - 0.01
        assert int8["agreement"] >= 0.97


def test_imagenet() -> None:
    document, rows = result("imagenet")
    for format_ in ("tflite", "onnx"):
        float32, int8 = rows[f"artifacts/float32.{format_}"], rows[f"artifacts/int8.{format_}"]
        assert float32["n"] == 400
        assert float32["top1"] >= 0.84
        assert abs(float32["top1"] - document["keras_top1"]) <= 0.005
        assert int8["top1"] >= document["keras_top1"] - 0.02


def test_downscaling() -> None:
    document = json.loads((REPOSITORY / "benchmarks" / "results" / "downscaling.json").read_text())
    errors = {row["way"]: row["errors"] for row in document["ways"]}
    for pattern, error in errors["Orilla: rows of groups"].items():
        assert error <= 3
        assert error <= errors["INTER_LINEAR"][pattern] / 4
    for row in document["agreement"]:
        assert row["own"] >= row["linear"]
        if row["net"].startswith("EfficientNet-Lite0"):
            assert row["own"] >= 0.99
