"""Delegates behind `device="delegate:LIBRARY"`: what is asked for runs the model, or it is an error."""

from __future__ import annotations

import ctypes.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.litert import LiteRT
from orilla_runtime.engines.onnxruntime import OnnxRuntime
from orilla_runtime.engines.providers import AUTOMATIC, PROVIDERS
from orilla_runtime.errors import EngineError, UsageError
from orilla_runtime.model import load
from tests.runtime.small_models import LABELS, onnx_colours, picture, tflite_colours

SOURCE = Path(__file__).with_name("delegate_for_tests.c")


def test_a_library_that_is_none() -> None:
    with pytest.raises(EngineError, match="cannot be loaded") as caught:
        LiteRT().load(tflite_colours(), EngineOptions(device="delegate:/not/there.so"))
    assert "--device cpu" in caught.value.remedy
    for device in ("delegate:", "delegate:x.so;option"):
        with pytest.raises(UsageError, match="names no delegate"):
            LiteRT().load(tflite_colours(), EngineOptions(device=device))
    with pytest.raises(EngineError, match="no device 'npu'"):
        LiteRT().load(tflite_colours(), EngineOptions(device="npu"))


@pytest.mark.skipif(sys.platform != "linux", reason="the name of a library that is no delegate")
def test_a_library_that_is_no_delegate(capfd: pytest.CaptureFixture[str]) -> None:
    library = ctypes.util.find_library("m") or "libm.so.6"
    with pytest.raises(EngineError, match="is a library, but no delegate"):
        LiteRT().load(tflite_colours(), EngineOptions(device=f"delegate:{library}"))
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real delegate: it takes every operator if it is told to, and then computes nothing."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("delegate") / "libtest.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, SOURCE], check=True)
    return path


@pytest.mark.slow
def test_a_delegate_runs_what_it_takes(library: Path, tmp_path: Path) -> None:
    device = f"delegate:{library};take=all"
    session = LiteRT().load(tflite_colours(), EngineOptions(device=device))
    assert session.device == device
    (found,) = session.run(np.full((1, 8, 12, 3), 7, np.uint8))
    assert not np.allclose(found.sum(), 1.0)  # not the CPU's softmax
    session.close()
    path = tmp_path / "m.tflite"
    path.write_bytes(tflite_colours())
    with load(path, labels=LABELS, device=device, output="logits") as model:
        assert (model.engine, model.threads) == (f"litert/{device}", None)
        model(picture(0))


@pytest.mark.slow
def test_a_delegate_that_takes_nothing_is_no_cpu(library: Path) -> None:
    with pytest.raises(EngineError, match="took none of the model's 3 operators"):
        LiteRT().load(tflite_colours(), EngineOptions(device=f"delegate:{library}"))


@pytest.mark.slow
def test_a_delegate_without_its_chip(library: Path) -> None:
    with pytest.raises(EngineError, match=r"found no device: .*no such chip"):
        LiteRT().load(tflite_colours(), EngineOptions(device=f"delegate:{library};fail=1"))


def test_the_table_of_providers() -> None:
    assert [provider.device for provider in PROVIDERS if provider.tested] == ["cpu"]
    assert {"tensorrt", "cuda", "openvino", "coreml", "directml", "qnn"} <= {one.device for one in PROVIDERS}
    assert {"cuda", "cpu"} == AUTOMATIC
    for provider in PROVIDERS:
        assert provider.package.startswith("onnxruntime")


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one.device != "cpu"], ids=lambda one: one.device)
def test_a_provider_that_is_not_carried_names_its_package(provider: object) -> None:
    device, package = provider.device, provider.package  # type: ignore[attr-defined]
    if device in OnnxRuntime().availability().devices:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(EngineError, match=device) as caught:
        OnnxRuntime().load(onnx_colours(), EngineOptions(device=device))
    assert package in caught.value.remedy or "driver" in caught.value.remedy
