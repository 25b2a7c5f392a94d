"""The committed results of the benchmarks keep the promises that were made."""

from __future__ import annotations

import json
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("net", "least", "points"), [("efficientnet_lite0", 0.84, 0.01), ("mobilenet_v1_0.25", 0.5, 0.02)]
)
def test_imagenet(net: str, least: float, points: float) -> None:
    document = json.loads((REPOSITORY / "benchmarks" / "results" / "imagenet.json").read_text())
    rows = {row["artifact"]: row for row in document["artifacts"] if row["net"] == net}
    for format_ in ("tflite", "onnx"):
        float32, int8 = rows[f"artifacts/float32.{format_}"], rows[f"artifacts/int8.{format_}"]
        assert float32["n"] == 400
        assert float32["top1"] >= least
        assert int8["top1"] >= float32["top1"] - points
        assert int8["goals"] == "reached"


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


def test_the_small_net_learns_more_than_the_tutorials_in_the_same_time() -> None:
    document = json.loads((REPOSITORY / "benchmarks" / "results" / "cifar_training.json").read_text())
    tutorial, equal, longer = document["artifacts"]
    assert tutorial["training"] == "cifar_cnn, 20 epochs"
    assert min(equal["time"], equal["cpu"]) <= 1
    assert max(longer["time"], longer["cpu"]) <= 6
    assert equal["points_better"] >= 4
    assert longer["points_better"] >= 10
    for row in (equal, longer):
        assert row["parameters"] <= tutorial["parameters"]
        assert max(row["int8.tflite_lost"], row["int8.onnx_lost"]) <= 1


@pytest.mark.parametrize(("net", "least"), [("mnist_cnn", 0.97), ("small", 0.985)])
def test_mnist_in_five_folds(net: str, least: float) -> None:
    document = json.loads((REPOSITORY / "benchmarks" / "results" / "mnist.json").read_text())
    rows = [row for row in document["artifacts"] if row["net"] == net]
    assert [row["artifact"] for row in rows] == ["Keras", "int8.onnx", "int8.tflite"]
    assert {row["n"] for row in rows} == {5000}
    assert min(row["pooled_top1"] for row in rows) >= least
