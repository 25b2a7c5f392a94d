"""Faults put in on purpose: each is caught by the verifier and named, and good files are left in peace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla_converters.metrics import compare
from orilla_converters.recipe import Recipe
from orilla_converters.source import Description
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_converters.verify import Judge, Verdict, run_all
from orilla_converters.worker import call
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.labelled.reading import read_labelled
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.sources.picture import read_picture
from tests.converters.conftest import HERE, LABELS, Bench

FLOAT = Recipe("tflite", "float32")
DOUBLED = "conv2d_2"


@pytest.fixture(scope="module")
def tensors(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> TensorFile:
    """Thirty digits of all classes, tinted: on grey ones nobody sees that channels are swapped."""
    images, preprocess = read_labelled(bench.digits), Preprocessor(Preprocess((16, 16)))
    tint = np.array([1.0, 0.8, 0.6])
    pictures = (
        (preprocess(read_picture(images.full_path(number))) * tint).astype(np.uint8) for number in range(0, 600, 20)
    )
    return write_tensors(tmp_path_factory.mktemp("faults") / "tensors.u8", pictures, (16, 16, 3))


@pytest.fixture(scope="module")
def found(bench: Bench, tensors: TensorFile, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    folder = tmp_path_factory.mktemp("faulty")
    parameters = {"model": str(bench.bare), "raw": True, "normalization": None, "doubled": DOUBLED}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        given = {**parameters, "tensors": tensors.to_json(), "folder": str(folder)}
        return call("faults_for_tests:findings", given, what="faulty artifacts")


def verdict(name: str, found: Mapping[str, Any], tensors: TensorFile, bench: Bench) -> Verdict:
    """What the verifier says, with the good artifact's scores for Keras'."""
    session = engine_for("tflite").load(Path(found["good"]["path"]).read_bytes(), EngineOptions())
    try:
        keras = run_all(session, tensors.open())
    finally:
        session.close()
    description = Description((16, 16, 3), 10, "probabilities", 1 / 128, -127 / 128)
    images = read_labelled(bench.digits).aligned(LABELS).subset(range(0, 600, 20))
    judge = Judge(description, tensors, keras, images, 0.01)
    return judge.verdict(FLOAT, Path(found[name]["path"]).read_bytes())


@pytest.mark.parametrize("name", ["good", "good_float16"])
def test_no_false_alarm(name: str, found: Mapping[str, Any], tensors: TensorFile, bench: Bench) -> None:
    assert found[name]["fault"] == ""
    assert found[name]["layer"] is None
    if name == "good":
        assert verdict(name, found, tensors, bench).shortcomings == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("swapped_channels", "colour channels are swapped"),
        ("wrong_mean", "mean is wrong: it sees every pixel about 40 brighter"),
        ("wrong_range", "normalization is wrong: its core gets pixels of 0..1"),
        ("label_order", "labels are in another order: class 0 stands at place 1"),
        ("training_mode", "batch normalization works in training mode"),
    ],
)
def test_a_fault_is_caught_and_named(
    name: str, words: str, found: Mapping[str, Any], tensors: TensorFile, bench: Bench
) -> None:
    assert words in found[name]["fault"]
    assert verdict(name, found, tensors, bench).shortcomings


def test_a_layer_whose_scale_is_doubled_is_named(found: Mapping[str, Any], tensors: TensorFile, bench: Bench) -> None:
    assert found["doubled_layer"]["fault"] == ""
    assert found["doubled_layer"]["layer"] == DOUBLED
    assert verdict("doubled_layer", found, tensors, bench).shortcomings


def test_a_collapse_is_called_so(found: Mapping[str, Any], tensors: TensorFile, bench: Bench) -> None:
    assert found["collapsed"]["fault"] == ""
    reasons = verdict("collapsed", found, tensors, bench).shortcomings
    assert any("constant" in reason or "collapsed" in reason for reason in reasons)


def test_one_class_for_nearly_all_is_a_collapse() -> None:
    keras = np.eye(5, dtype=np.float32)[np.arange(100) % 5] * 0.9 + 0.02
    one = np.eye(5, dtype=np.float32)[np.where(np.arange(100) < 95, 2, 0)] * 0.9 + 0.02
    assert any("collapsed" in fault for fault in compare(keras, one, None).faults)
