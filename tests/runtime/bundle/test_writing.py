"""What does not fit is not written, and a write that fails leaves the old file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla_runtime.bundle.manifest import Accuracy, Gate, Metrics
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.errors import BundleError, SinkError
from orilla_runtime.tensors import TensorSpec
from tests.runtime.bundle.samples import Sample, sample, tflite_artifact

Change = Callable[[Sample], Sample]


def changed_task(**changes: Any) -> Change:
    return lambda source: source.with_manifest(task=replace(source.manifest.task, **changes))


def changed_artifact(**changes: Any) -> Change:
    def change(source: Sample) -> Sample:
        first, second = source.manifest.artifacts
        return source.with_manifest(artifacts=(first, replace(second, **changes)))

    return change


def changed_golden(**changes: Any) -> Change:
    def change(source: Sample) -> Sample:
        assert source.manifest.golden is not None
        return source.with_manifest(golden=replace(source.manifest.golden, **changes))

    return change


def changed(**changes: Any) -> Change:
    return lambda source: source.with_manifest(**changes)


def entry(name: str, data: bytes = b"x") -> Change:
    return lambda source: replace(source, entries={**source.entries, name: data})


def image(*shape: int | None, dtype: str = "uint8") -> tuple[TensorSpec, ...]:
    return (TensorSpec("image", shape, dtype),)


NOT_WRITTEN: Mapping[str, tuple[str, Change]] = {
    "empty label": ("wrong-value", changed_task(labels=("a", " ", "c"))),
    "no labels": ("wrong-value", changed_task(labels=())),
    "control character": ("wrong-value", changed_task(labels=("a", "\x1b[2J", "c"))),
    "lone surrogate": ("wrong-value", changed_task(labels=("a", "\ud800", "c"))),
    "unknown output": ("wrong-value", changed_task(output="odds")),
    "temperature 0": ("wrong-value", changed_task(temperature=0)),
    "temperature NaN": ("not-finite", changed_task(temperature=float("nan"))),
    "a gate for metrics": ("wrong-type", changed_artifact(metrics=Gate(0.0, 0.0, 0.0))),
    "a text for a task": ("wrong-type", changed(task="classification")),
    "labels as one text": ("wrong-type", changed_task(labels="abc")),
    "label of bytes": ("wrong-type", changed_task(labels=("a", b"b", "c"))),
    "one label too few": ("wrong-tensor", changed_task(labels=("a", "b"))),
    "no name": ("wrong-value", changed(name="")),
    "no artifacts": ("wrong-value", changed(artifacts=())),
    "artifact twice": ("wrong-value", changed(artifacts=(tflite_artifact(), tflite_artifact()))),
    "artifact not there": ("missing-entry", changed_artifact(path="artifacts/none.tflite")),
    "artifact in report/": ("missing-entry", changed_artifact(path="report/index.html")),
    "format is a path": ("wrong-value", changed_artifact(format="../x")),
    "no input": ("wrong-tensor", changed_artifact(inputs=())),
    "wrong size": ("wrong-tensor", changed_artifact(inputs=image(1, 6, 4, 3))),
    "wrong depth": ("wrong-tensor", changed_artifact(inputs=image(1, 4, 6, 1))),
    "batch of eight": ("wrong-tensor", changed_artifact(inputs=image(8, 4, 6, 3))),
    "wrong dtype": ("wrong-tensor", changed_artifact(inputs=image(1, 4, 6, 3, dtype="float32"))),
    "side of 0": ("wrong-tensor", changed_artifact(outputs=image(0, 3, dtype="float32"))),
    "scalar output": ("wrong-tensor", changed_artifact(outputs=image(dtype="float32"))),
    "accuracy over 1": (
        "wrong-value",
        changed_artifact(metrics=Metrics(9, 1.0, None, 0.0, Accuracy(9, 97.0, 0.9, 1.0))),
    ),
    "default of nothing": ("unknown-artifact", changed(defaults={"tflite": "artifacts/none.tflite"})),
    "golden kind": ("wrong-value", changed_golden(kind="guessed")),
    "golden picture not there": ("missing-entry", changed_golden(picture="golden/none.png")),
    "golden output missing": ("unknown-artifact", changed_golden(outputs=())),
    "golden tolerance": ("wrong-value", changed_golden(picture_tolerance=300)),
    "unknown feature": ("unknown-feature", changed(features=("signed",))),
    "extra too deep": ("too-deep", changed(extra={"a": json.loads("[" * 40 + "]" * 40)})),
    "extra endless": ("too-deep", lambda source: source.with_manifest(extra=_endless())),
    "extra with a set": ("wrong-type", changed(extra={"a": {1, 2}})),
    "extra with a number as key": ("wrong-type", changed(extra={"a": {1: 2}})),
    "extra too large": ("too-large", changed(extra={"a": "x" * (17 << 20)})),
    "training with a float32": ("wrong-type", changed(training={"loss": np.float32(1)})),
    "training with a long integer": ("wrong-type", changed(training={"digest": 2**60})),
    "entry elsewhere": ("entry-name", entry("model.tflite")),
    "entry in another folder": ("entry-name", entry("bin/model.tflite")),
    "entry manifest.json": ("entry-name", entry("manifest.json")),
    "entry up": ("entry-name", entry("artifacts/../../x")),
    "entry with a space": ("entry-name", entry("report/my file")),
    "entry of another case": ("case-clash", entry("report/INDEX.html")),
    "entry inside a file": ("entry-name", entry("report/index.html/x")),
}


def _endless() -> dict[str, Any]:
    extra: dict[str, Any] = {}
    extra["again"] = extra
    return extra


@pytest.mark.parametrize("case", NOT_WRITTEN)
def test_what_the_reader_would_refuse_is_not_written(case: str, tmp_path: Path) -> None:
    fault, change = NOT_WRITTEN[case]
    path = tmp_path / "parts.orilla"
    path.write_bytes(b"old")
    with pytest.raises(BundleError) as caught:
        change(sample()).write(path)
    assert caught.value.fault == fault
    assert str(path) in caught.value.message
    assert str(caught.value).count("\n") <= 1
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_whole_numbers_become_floats(tmp_path: Path) -> None:
    preprocess = replace(sample().manifest.preprocess, scale=(1, 1, 1), crop_fraction=1)
    sample().with_manifest(preprocess=preprocess).write(tmp_path / "parts.orilla")
    with open_bundle(tmp_path / "parts.orilla") as bundle:
        assert bundle.manifest.preprocess == preprocess
        assert isinstance(bundle.manifest.preprocess.scale[0], float)


class _OpensOnce(type(Path())):  # type: ignore[misc]
    """A real file that goes away when it is opened to be copied, after it was measured."""

    error: BaseException

    def open(self, *arguments: Any, **options: Any) -> Any:
        if hasattr(self, "opened"):
            raise self.error
        self.opened = True
        return super().open(*arguments, **options)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "Input/output error"), MemoryError()])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path, artifact = tmp_path / "out" / "parts.orilla", _OpensOnce(tmp_path / "x.tflite")
    path.parent.mkdir()
    old = sample().write(path)
    Path(artifact).write_bytes(b"new" * 1000)
    artifact.error = error
    entries = {**sample().entries, "artifacts/parts-int8.tflite": artifact}
    with pytest.raises((BundleError, KeyboardInterrupt, MemoryError)):
        write_bundle(path, sample().manifest, entries)
    assert list(path.parent.iterdir()) == [path]
    open_bundle(path, expected_id=old).close()


class _Grows(type(Path())):  # type: ignore[misc]
    """A real file that another program writes to between two openings."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        file = super().open(*arguments, **options)
        with super().open("ab") as other:
            other.write(b"more")
        return file


def test_a_source_that_changes_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(b"")
    with pytest.raises(BundleError, match="changed while") as caught:
        write_bundle(tmp_path / "x.orilla", sample().manifest, {**sample().entries, "report/a": _Grows(path)})
    assert caught.value.fault == "changed-source"
    assert list(tmp_path.iterdir()) == [path]


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(BundleError, match=str(source)) as caught:
            write_bundle(tmp_path / "x.orilla", sample().manifest, {**sample().entries, "report/a": source})
        assert caught.value.fault == "no-source"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "x.orilla", tmp_path / "file" / "x.orilla", tmp_path / "folder"):
        with pytest.raises(SinkError, match=str(path)):
            sample().write(path)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.runtime.bundle.samples import sample
from orilla_runtime.errors import OrillaError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    sample().write(Path(sys.argv[1]))
except OrillaError as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk: the write fails in the middle, at 4 KiB."""
    path = tmp_path / "parts.orilla"
    path.write_bytes(b"old")
    repository = Path(__file__).parents[3]
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(f"SinkError {path}: ")
    assert ran.stdout.count("\n") <= 2
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_the_file_is_readable_like_others_and_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.orilla").write_bytes(b"")
    (tmp_path / "link.orilla").symlink_to("real.orilla")
    sample().write(tmp_path / "link.orilla")
    assert (tmp_path / "link.orilla").is_symlink()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "real.orilla").stat().st_mode) in {0o666 & ~umask}
    open_bundle(tmp_path / "real.orilla").close()
