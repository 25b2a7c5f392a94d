"""A job that crashes, hangs, prints or is interrupted takes nobody with it and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orilla_converters.worker import Task, Workshop, call
from orilla_runtime.errors import ConversionError

pytestmark = pytest.mark.usefixtures("worker_path")


def is_running(pid: int) -> bool:
    try:
        # A process that has ended but was not waited for still has a number.
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_crash_is_an_error_with_its_cause_and_its_log(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConversionError) as caught:
        call("jobs_for_tests:abort", {}, what="int8.tflite")
    text = str(caught.value)
    assert text.startswith("int8.tflite: the conversion crashed (signal 6): FatalError: a check failed deep inside.")
    assert len(text.splitlines()) == 2
    log = Path(text.rsplit(" ", 1)[1].rstrip("."))
    assert "deep inside" in log.read_text()
    log.unlink()
    assert capfd.readouterr() == ("", "")


def test_an_exception_is_one_line() -> None:
    expected = r"float32\.onnx: the conversion failed with RuntimeError: first line"
    with pytest.raises(ConversionError, match=expected) as caught:
        call("jobs_for_tests:stumble", {}, what="float32.onnx")
    Path(caught.value.remedy.rsplit(" ", 1)[1].rstrip(".")).unlink()


def test_noise_goes_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    assert call("jobs_for_tests:shout", {}, what="noise") == {"answer": 42}
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say what a process holds")
def test_too_much_memory_is_stopped() -> None:
    with (
        Workshop(memory=200 << 20) as workshop,
        pytest.raises(ConversionError, match=r"big\.tflite: the conversion took more than 0\.2 GiB") as caught,
    ):
        workshop.run("jobs_for_tests:swell", "big.tflite", {})
    Path(caught.value.remedy.rsplit(" ", 1)[1].rstrip(".")).unlink()


def test_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="took longer than 3 s") as caught:
        call("jobs_for_tests:hang", {"pid": str(tmp_path / "pid")}, what="int8.onnx", limit=3)
    assert not is_running(int((tmp_path / "pid").read_text()))
    Path(caught.value.remedy.rsplit(" ", 1)[1].rstrip(".")).unlink()


def test_one_failure_ends_the_others(tmp_path: Path) -> None:
    tasks = {
        "slow": Task("jobs_for_tests:hang", "slow", {"pid": str(tmp_path / "pid")}),
        "bad": Task("jobs_for_tests:stumble", "bad", {}),
    }
    start = time.monotonic()
    with Workshop(side_by_side=2) as workshop, pytest.raises(ConversionError):
        workshop.run_all({"bad": tasks["bad"], "slow": tasks["slow"]})
    assert time.monotonic() - start < 60
    assert not workshop.scratch.exists()
    if (tmp_path / "pid").exists():
        assert not is_running(int((tmp_path / "pid").read_text()))


def test_a_failure_behind_a_slow_job_ends_it(tmp_path: Path) -> None:
    tasks = {
        "slow": Task("jobs_for_tests:hang", "slow", {"pid": str(tmp_path / "pid")}),
        "bad": Task("jobs_for_tests:stumble", "bad", {}),
    }
    with Workshop(limit=60, side_by_side=2) as workshop, pytest.raises(ConversionError, match="first line"):
        workshop.run_all(tasks)


def test_an_excess_names_the_option_where_there_is_one() -> None:
    for adjustable in (True, False):
        with Workshop(limit=1, adjustable=adjustable) as workshop, pytest.raises(ConversionError) as caught:
            workshop.run("jobs_for_tests:hang", "int8.onnx", {"pid": os.devnull})
        assert ("--limit" in caught.value.remedy) is adjustable
        Path(caught.value.remedy.rsplit(" ", 1)[1].rstrip(".")).unlink()


def test_memory_is_shared_by_the_jobs_that_are_there() -> None:
    with Workshop(side_by_side=64) as workshop, Workshop() as alone:
        whole = workshop.memory
        assert whole == alone.memory
        assert workshop.run_all({"only": Task("jobs_for_tests:shout", "only", {})}) == {"only": {"answer": 42}}
        assert workshop.memory == whole


PARENT = """
import sys
from orilla_converters.worker import Task, Workshop
with Workshop(side_by_side=2) as workshop:
    task = lambda name: Task("jobs_for_tests:hang", name, {"pid": f"{sys.argv[1]}/{name}"})
    workshop.run_all({name: task(name) for name in ("first", "second")})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=environment, stderr=subprocess.DEVNULL)
    places = [tmp_path / "first", tmp_path / "second"]
    wait_for(lambda: all(place.exists() and place.read_text() for place in places))
    parent.send_signal(number)
    parent.wait(20)
    wait_for(lambda: not any(is_running(int(place.read_text())) for place in places))
    if number == signal.SIGINT:
        assert not list(scratch.iterdir())
