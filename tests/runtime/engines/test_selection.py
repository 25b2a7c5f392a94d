"""Which engine is taken, what is said where none is there, and how many CPUs it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orilla_runtime.engines.cpus import granted, usable_cpus
from orilla_runtime.engines.registry import engines
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import EngineError, UsageError
from tests.runtime.small_models import onnx_colours, tflite_colours


def test_the_built_in_engines() -> None:
    assert list(engines())[:3] == ["litert", "onnxruntime", "openvino"]
    assert engine_for("tflite").name == "litert"
    assert engine_for("onnx").name == "onnxruntime"
    assert engine_for("onnx", "onnxruntime").name == "onnxruntime"


def test_impossible_choices() -> None:
    with pytest.raises(UsageError, match="no engine 'tensorrt'"):
        engine_for("onnx", "tensorrt")
    with pytest.raises(UsageError, match="does not run onnx files"):
        engine_for("onnx", "litert")
    with pytest.raises(EngineError, match="No engine runs caffe files"):
        engine_for("caffe")


def run(program: str, *before: Path) -> str:
    """Standard output of a new Python whose path begins with `before`."""
    path = os.pathsep.join(map(str, (*before, *sys.path)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SAYS = """
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.registry import engines
from orilla_runtime.engines.selection import engine_for
from orilla_runtime.errors import EngineError
for format, name in (("tflite", "litert"), ("onnx", "onnxruntime")):
    state = engines()[name].availability()
    print(state.devices, state.version, state.reason, state.remedy)
    try:
        engine_for(format)
    except EngineError as error:
        print(error.message, error.remedy)
    try:
        engine_for(format, name).load(open(f"MODEL.{format}", "rb").read(), EngineOptions())
    except EngineError as error:
        print(error.message, error.remedy)
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "m.tflite").write_bytes(tflite_colours())
    (tmp_path / "m.onnx").write_bytes(onnx_colours())
    return SAYS.replace("MODEL", str(tmp_path / "m"))


def test_an_engine_that_is_not_installed_names_its_extra(program: str) -> None:
    hide = """
import sys
for name in ("ai_edge_litert", "tflite_runtime", "onnxruntime", "openvino"):
    sys.modules[name] = None
"""
    # A module that is None in sys.modules is one that the import system does not find.
    lines = run(hide + program).splitlines()
    assert len(lines) == 6
    assert all("is not installed" in line for line in lines)
    assert all("pip install 'orilla[litert]'" in line for line in lines[:3])
    assert all("pip install 'orilla[onnx]'" in line for line in lines[3:])


def test_an_engine_that_does_not_start_shows_its_own_words(program: str, tmp_path: Path) -> None:
    for package, module in (("ai_edge_litert", "interpreter"), ("onnxruntime", "__init__"), ("openvino", "__init__")):
        folder = tmp_path / "broken" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / f"{module}.py").write_text("raise ImportError('libmissing.so.1: cannot open shared object file')\n")
    lines = run(program, tmp_path / "broken").splitlines()
    assert len(lines) == 6
    assert all("libmissing.so.1: cannot open shared object file" in line for line in lines)
    assert not any("pip install" in line for line in lines)


def test_engines_of_other_packages(tmp_path: Path) -> None:
    (tmp_path / "their_engine.py").write_text(
        "class Engine:\n    name = 'theirs'\n    formats = frozenset({'onnx', 'own'})\n"
        "    def availability(self):\n"
        "        from orilla_runtime.engines.base import Availability\n"
        "        return Availability(('cpu',), '1.0')\n"
        "    def load(self, model, options):\n        raise NotImplementedError\n"
    )
    info = tmp_path / "their_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[orilla.engines]\ntheirs = their_engine:Engine\nlost = their_engine:Nothing\n"
    )
    program = """
from orilla_runtime.engines.registry import engines
from orilla_runtime.engines.selection import engine_for
print(*engines())
print(engine_for("own").name, engine_for("onnx").name, engine_for("onnx", "theirs").name)
"""
    assert run(program, tmp_path).splitlines() == ["litert onnxruntime openvino theirs", "theirs onnxruntime theirs"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_threads_follow_the_affinity(tmp_path: Path) -> None:
    """Restricted to one CPU, both engines run, and ask for one thread."""
    (tmp_path / "m.tflite").write_bytes(tflite_colours())
    (tmp_path / "m.onnx").write_bytes(onnx_colours())
    program = f"""
import os
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.checks import thread_count
from orilla_runtime.engines.selection import engine_for, usable_cpus
import numpy
print(usable_cpus(), thread_count(EngineOptions()))
for format in ("tflite", "onnx"):
    session = engine_for(format).load(open({str(tmp_path / "m.")!r} + format, "rb").read(), EngineOptions())
    print(session.run(numpy.zeros((1, 8, 12, 3), numpy.uint8))[0].shape)
"""
    assert run(program).splitlines() == ["1 1", "(1, 3)", "(1, 3)"]


def test_at_least_one_cpu() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "own", "cpus"),
    [
        ({}, "0::/", None),
        ({"cpu.max": "150000 100000\n"}, "0::/", 1.5),  # docker run --cpus 1.5
        ({"cpu.max": "max 100000\n"}, "0::/", None),
        ({"system.slice/orilla.service/cpu.max": "50000 100000\n"}, "0::/system.slice/orilla.service", 0.5),
        ({"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, "12:cpu:/x\n0::/a/b", 2.0),
        ({"cpu.max": "300000 100000\n"}, "0::/docker/0123", 3.0),  # a container that sees its group's name outside
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/", 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/", None),
        ({"cpu.max": "nonsense"}, "\xff\0", None),
    ],
)
def test_a_group_of_processes_may_have_fewer_cpus(
    files: dict[str, str], own: str, cpus: float | None, tmp_path: Path
) -> None:
    groups = tmp_path / "groups"
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    (tmp_path / "cgroup").write_text(f"{own}\n", encoding="latin-1")
    assert granted(groups, tmp_path / "cgroup") == cpus
    assert granted(tmp_path / "none", tmp_path / "none") is None


def test_the_log_stays_quiet(tmp_path: Path) -> None:
    """A model that ONNX Runtime refuses is an error, and nothing else on standard error."""
    (tmp_path / "m.onnx").write_bytes(onnx_colours(opset=99))
    program = f"""
from orilla_runtime.engines.base import EngineOptions
from orilla_runtime.engines.onnxruntime import OnnxRuntime
from orilla_runtime.errors import ModelError
OnnxRuntime().availability()
try:
    OnnxRuntime().load(open({str(tmp_path / "m.onnx")!r}, "rb").read(), EngineOptions())
except ModelError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")
