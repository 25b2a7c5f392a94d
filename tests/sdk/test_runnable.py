"""Which artifacts an engine here runs: one answer for `info --verify`, `evaluate` and `benchmark`."""

from __future__ import annotations

from pathlib import Path

import pytest

from orilla.runnable import runnable
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.engines import selection
from orilla_runtime.errors import EngineError
from tests.conftest import REPOSITORY


def golden() -> Path:
    return REPOSITORY / "tests" / "golden" / "bundle_v1.orilla"


def test_all_where_the_engines_are() -> None:
    with open_bundle(golden()) as bundle:
        artifacts = bundle.manifest.artifacts
    able, skipped = runnable(artifacts)
    assert tuple(able) == artifacts
    assert skipped == ()


def test_the_others_are_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_bundle(golden()) as bundle:
        artifacts = bundle.manifest.artifacts
    there = selection.engines_for
    monkeypatch.setattr(selection, "engines_for", lambda name: () if name == "onnx" else there(name))
    able, skipped = runnable(artifacts)
    assert {artifact.format for artifact in able} == {"tflite"}
    assert [path for path, _ in skipped] == [one.path for one in artifacts if one.format == "onnx"]
    assert all("onnx" in reason for _, reason in skipped)
    with pytest.raises(EngineError):
        selection.engine_for("onnx")
