"""Which engine and how many threads are taken: as measured here, remembered, and never at the cost of a run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.bundle.manifest import Artifact, Manifest, TaskInfo
from orilla_runtime.bundle.writer import write_bundle
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.engines.machine import features, machine
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import UsageError
from orilla_runtime.model import load
from orilla_runtime.preprocess import Preprocess
from orilla_runtime.tuning.cache import cache_folder, recall, remember
from orilla_runtime.tuning.measuring import measure, thread_counts
from orilla_runtime.tuning.speeds import Runnable, Speed, ranked
from tests.runtime.small_models import LABELS, SIZE, onnx_colours, picture, tflite_colours

DATA = {"tflite": tflite_colours(), "onnx": onnx_colours()}
HASHES = {kind: hashlib.sha256(data).hexdigest() for kind, data in DATA.items()}
COLOURS = {"labels": LABELS}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "orilla" / "speeds"


def runnable(data: bytes, kind: str) -> Runnable:
    return Runnable(f"m.{kind}", f"m.{kind}", kind, len(data), lambda: data, lambda: hashlib.sha256(data).hexdigest())


def both() -> list[Runnable]:
    return [runnable(data, kind) for kind, data in DATA.items()]


def speed(kind: str, engine: str, milliseconds: float, threads: int = 1, device: str = "cpu") -> Speed:
    return Speed(HASHES[kind], engine, device, threads, milliseconds)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Two artifacts of float32 in two formats, and one that calls itself int8."""
    path = tmp_path / "colours.orilla"
    artifacts = [artifact(kind, kind, "float32") for kind in DATA] + [artifact("int8.onnx", "onnx", "int8")]
    manifest = Manifest(
        name="colours",
        created_by="a test",
        task=TaskInfo("classification", LABELS),
        preprocess=Preprocess(SIZE),
        artifacts=tuple(artifacts),
        defaults={"tflite": artifacts[0].path, "onnx": artifacts[1].path},
        files=(),
    )
    # Of one length more, so that it is another file to everyone who looks at hashes.
    datas = {artifacts[0].path: DATA["tflite"], artifacts[1].path: DATA["onnx"], artifacts[2].path: int8()}
    write_bundle(path, manifest, datas)
    return path


def int8() -> bytes:
    return onnx_colours(metadata={"name": "another file"})


def artifact(name: str, kind: str, precision: str) -> Artifact:
    session = engine_for(kind).load(DATA[kind], EngineOptions())
    return Artifact(
        path=f"artifacts/colours.{name}",
        format=kind,
        precision=precision,
        recipe=name,
        inputs=session.inputs,
        outputs=session.outputs,
    )


def test_the_best_is_the_fastest_and_of_equals_the_one_with_fewest_threads() -> None:
    two, one, slow = speed("tflite", "a", 1.0, 2), speed("tflite", "a", 1.01, 1), speed("tflite", "b", 2.0, 1)
    assert ranked([slow, two, one]) == [one, two, slow]
    assert ranked([speed("tflite", "a", 1.03, 1), two])[0] is two
    assert ranked([]) == []


def test_measuring_tries_every_engine_and_number_of_threads() -> None:
    found = measure(both(), limit=20)
    ways = {(one.sha256, one.engine, one.device, one.threads) for one in found.speeds}
    engines = {"tflite": ("litert", "openvino"), "onnx": ("onnxruntime", "openvino")}
    expected = {
        (HASHES[kind], engine, "cpu", count) for kind in DATA for engine in engines[kind] for count in thread_counts()
    }
    assert ways == expected
    assert all(one.milliseconds > 0 for one in found.speeds)
    assert found.refused == ()


def test_a_limit_of_time_still_gives_the_usual_way() -> None:
    found = measure(both(), limit=0)
    assert [(one.engine, one.threads) for one in found.speeds] == [("litert", usable_cpus())]
    assert "for lack of time" in found.refused[0]


def test_what_one_engine_refuses_no_other_gets() -> None:
    damaged = runnable(DATA["tflite"][:-30], "tflite")
    found = measure([damaged, runnable(DATA["onnx"], "onnx")])
    assert found.speeds == ()
    assert found.refused[0].startswith("litert: ")


def test_numbers_of_threads_stay_within_the_usable_cpus() -> None:
    assert thread_counts()[0] == usable_cpus()
    assert thread_counts()[-1] == 1


def test_what_is_remembered_is_for_these_files_on_this_machine(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = (speed("tflite", "litert", 1.5), speed("onnx", "onnxruntime", 2.5))
    assert recall(both()) == ()
    written = remember(both(), speeds)
    assert written is not None
    assert written.parent == empty_cache == cache_folder()
    assert recall(both()) == recall(both()[::-1]) == speeds
    assert recall(both()[:1]) == ()
    monkeypatch.setattr("orilla_runtime.engines.machine.machine", lambda: "another machine")
    assert recall(both()) == ()


def test_the_file_holds_no_folder_of_yours() -> None:
    written = remember(both(), (speed("tflite", "litert", 1.5),))
    assert written is not None
    text = written.read_text()
    assert str(Path.home()) not in text
    assert json.loads(text)["machine"] == machine()
    assert "ai_edge_litert-" in machine()
    assert f"{usable_cpus()} CPUs" in machine()
    assert all(name.isascii() for name in features())


NEARLY = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([1, 2, None]),
        "speeds": st.lists(
            st.fixed_dictionaries(
                {
                    "sha256": st.sampled_from([*HASHES.values(), "x", None]),
                    "engine": st.sampled_from(["litert", "gone", 3, None]),
                    "device": st.sampled_from(["cpu", "cuda", None]),
                    "threads": st.sampled_from([1, 0, -1, 10**6, True, 1.0, "1", None]),
                    "milliseconds": st.sampled_from([1.0, 0, -1.0, float("nan"), float("inf"), "x", None]),
                }
            ),
            max_size=2,
        ),
    }
).map(lambda value: json.dumps(value).encode())


@given(st.one_of(st.binary(max_size=60), NEARLY))
def test_a_damaged_memory_is_none(data: bytes) -> None:
    written = remember(both(), (speed("tflite", "litert", 1.5),))
    assert written is not None
    written.write_bytes(data)
    for one in recall(both()):
        assert 1 <= one.threads <= usable_cpus()
        assert one.milliseconds > 0
        assert one.sha256 in HASHES.values()


@pytest.mark.parametrize("place", ["file", "no home"])
def test_where_nothing_can_be_remembered_everything_still_runs(
    place: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "file":
        (tmp_path / "cache").write_text("in the way")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path / "gone"))
        (tmp_path / "gone").write_text("in the way")
    assert remember(both(), (speed("tflite", "litert", 1.5),)) is None
    with load(bundle, measure="once") as model:
        assert model(picture(0)).top.label in LABELS
        assert model.why.startswith("measured here: ")


def bundle_speeds(bundle: Path, speeds: Sequence[Speed]) -> None:
    remember(both(), speeds)


def test_load_takes_what_was_measured(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    with load(bundle) as model:
        assert (model.engine, model.threads) == ("litert/cpu", usable_cpus())
        assert model.why == "not measured here; the first that works"
    bundle_speeds(
        bundle,
        [
            speed("tflite", "gone", 0.1),
            speed("onnx", "openvino", 1.0, 1),
            speed("tflite", "litert", 2.0, 1),
            speed("onnx", "onnxruntime", 3.0, 1),
        ],
    )
    for options, engine, artifact_ in (
        ({}, "openvino/cpu", "artifacts/colours.onnx"),
        ({"engine": "litert"}, "litert/cpu", "artifacts/colours.tflite"),
        ({"engine": "onnxruntime"}, "onnxruntime/cpu", "artifacts/colours.onnx"),
        ({"threads": 1}, "openvino/cpu", "artifacts/colours.onnx"),
    ):
        with load(bundle, **options) as model:  # type: ignore[arg-type]
            assert (model.engine, model.artifact, model.threads) == (engine, artifact_, 1)
            assert model.why.startswith(f"measured here: {engine} 1 thread")
            assert model(picture(3)).top.label in LABELS
    with load(bundle, threads=usable_cpus() + 1) as model:
        assert model.threads == model.cpu_threads == usable_cpus()
        assert f"{usable_cpus() + 1} threads were asked for" in caplog.text


def test_another_precision_is_never_taken_by_itself(bundle: Path) -> None:
    other = runnable(int8(), "onnx")
    fast = Speed(other.sha256(), "onnxruntime", "cpu", 1, 0.001)
    remember([*both(), other], [fast, speed("tflite", "litert", 2.0)])
    remember([other], [fast])
    with load(bundle) as model:
        assert model.precision == "float32"
    with load(bundle, artifact="colours.int8.onnx") as model:
        assert (model.precision, model.threads) == ("int8", 1)


def test_load_measures_once_when_it_is_told_to(bundle: Path, empty_cache: Path) -> None:
    load(bundle).close()
    assert not empty_cache.exists()
    with load(bundle, measure="once") as model:
        assert model.why.startswith("measured here: ")
        first = model.why
    (file,) = empty_cache.iterdir()
    written = file.read_bytes()
    with load(bundle, measure="once") as model:
        assert model.why == first
    with load(bundle) as model:
        assert model.why == first
    assert file.read_bytes() == written
    load(bundle, measure="anew").close()
    (file,) = empty_cache.iterdir()
    assert file.read_bytes() != written
    with pytest.raises(UsageError, match="measure="):
        load(bundle, measure="always")


def test_a_bare_model_is_measured_too(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(DATA["tflite"])
    with load(path, **COLOURS, measure="once") as model:  # type: ignore[arg-type]
        assert model.why.startswith("measured here: ")
    with load(path, **COLOURS) as model:  # type: ignore[arg-type]
        assert model.why.startswith("measured here: ")


def test_old_measurements_go(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orilla_runtime.tuning.cache.KEPT", 3)
    for number in range(5):
        model = runnable(bytes([number]), "tflite")
        written = remember([model], [])
        assert written is not None
        os.utime(written, (number, number))
    assert len(list(empty_cache.iterdir())) == 3


def test_why_names_what_could_not_be_had(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    path = bundle.with_name("m.tflite")
    path.write_bytes(DATA["tflite"])
    with load(path, **COLOURS) as model:  # type: ignore[arg-type]
        assert model.engine == "openvino/cpu"
        assert "not litert: LiteRT is not installed" in model.why
    with load(bundle) as model:
        # The bundle's other format on its own engine, before this one on a stand-in.
        assert model.engine == "onnxruntime/cpu"


def test_reading_the_memory_may_fail_in_any_way(bundle: Path, empty_cache: Path, monkeypatch: Any) -> None:
    written = remember(both(), [speed("tflite", "litert", 2.0, 1)])
    assert written is not None
    written.unlink()
    written.mkdir()
    with load(bundle) as model:
        assert "not measured" in model.why
