"""`python -m benchmarks.sinks_rate`: does a sink in trouble slow the verdicts?

A camera that always has a next picture (1280x720, decoded before) is classified as fast as the model can, on all
CPUs, so that whatever else computes is seen; then one of 30 pictures a second. Every verdict goes to JSONL. The same
run is made with a sink in trouble beside it: a page whose clients ask and never read, an MQTT broker that is not
there, one that goes and comes back (mosquitto, where it is installed), a disk that is full from the beginning, and
one that is full for the second third of the run. The runs take turns, round by round; a figure is frames a second
against the plain run of the same round. Counted too are verdicts that did not arrive where they should.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from benchmarks.results import FOLDER, machine, test_data
from benchmarks.throughput.material import make_folder
from benchmarks.throughput.measuring import spread
from orilla_runtime.errors import SinkError
from orilla_runtime.model import Model, load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.service.address import Address
from orilla_runtime.sinks.base import Sink
from orilla_runtime.sinks.page.sink import PageSink
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.sources.base import Frame, Image

MODELS = ("mobilenet_v1_0.25_224_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite")
CLIENTS = 4
FPS, PACED_ROUNDS = 30.0, 3
WARM_UP = 20
_PATIENCE = 60.0
"""Seconds; a sink that failed for long is tried again every half minute."""


class Camera:
    """A camera with so many pictures a second, or with a next one whenever it is asked."""

    name, live, total, dropped, on_demand = "camera", True, None, 0, True

    def __init__(self, images: list[Image], fps: float | None) -> None:
        self._images, self._fps = images, fps
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        number, start = 0, time.monotonic()
        while not self._closed.is_set():
            if self._fps:
                time.sleep(max(0.0, start + number / self._fps - time.monotonic()))
            image = self._images[number % len(self._images)]
            yield Frame(image, number, self.name, None, time.monotonic_ns(), datetime.now(UTC))
            number += 1

    def close(self) -> None:
        self._closed.set()


@dataclass
class Trouble:
    """Sinks beside the JSONL file, what happens after so many verdicts, and how many of them arrived in the end."""

    sinks: list[Sink] = field(default_factory=list)
    steps: dict[int, Callable[[], object]] = field(default_factory=dict)
    arrived: Callable[[], int] | None = None


Make = Callable[[ExitStack, Path, int], Trouble]


def plain(_stack: ExitStack, _folder: Path, _frames: int) -> Trouble:
    return Trouble()


def deaf_clients(stack: ExitStack, _folder: Path, _frames: int) -> Trouble:
    """Each asks for pictures without a pause, reads none, and comes again when it was put out."""
    page = PageSink(Address("127.0.0.1", 0))
    stack.callback(page.close)
    port = int(page.url.rstrip("/").rpartition(":")[2])
    end = threading.Event()
    stack.callback(end.set)

    def ask() -> None:
        while not end.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
                client.settimeout(1)
                while not end.wait(0.05):
                    client.sendall(b"GET /frame/0.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            end.wait(0.05)

    for _ in range(CLIENTS):
        threading.Thread(target=ask, daemon=True).start()
    return Trouble([page])


def no_broker(_stack: ExitStack, _folder: Path, _frames: int) -> Trouble:
    return Trouble([open_sink("mqtt", f"mqtt://127.0.0.1:{_free_port()}/line")])


def broker_and_back(stack: ExitStack, folder: Path, frames: int) -> Trouble:
    """Away for the second third of the run, in a process of its own; a listener counts what arrives."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    port = _free_port()
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        "max_queued_messages 0\nmax_inflight_messages 0\nuser root\n"
    )
    program = _mosquitto()
    assert program is not None
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = [program, "-c", str(folder / "mosquitto.conf")]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))

    def stop() -> None:
        running[-1].terminate()

    def end() -> None:
        for process in running:
            process.terminate()
            process.wait(20)

    stack.callback(end)
    start()
    _wait_for(lambda: _listens(port))
    sink = open_sink("mqtt", f"mqtt://127.0.0.1:{port}/line")

    def arrived() -> int:
        # The broker keeps them for a listener that was there once; it is asked after the run, and costs it nothing.
        got: set[int] = set()
        listener = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        listener.on_message = lambda _client, _data, message: got.add(json.loads(message.payload)["index"])
        listener.connect("127.0.0.1", port)
        listener.loop_start()
        seen = -1
        while len(got) != seen:
            seen = len(got)
            time.sleep(1.0)
        listener.disconnect()
        listener.loop_stop()
        return len(got)

    subscriber = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    subscribed = threading.Event()
    subscriber.on_subscribe = lambda *_: subscribed.set()
    subscriber.on_connect = lambda client, *_: client.subscribe("line", qos=1)
    subscriber.connect("127.0.0.1", port)
    subscriber.loop_start()
    assert subscribed.wait(10)
    subscriber.disconnect()
    subscriber.loop_stop()
    # Starting a process takes a while, which is not the run's.
    later = threading.Thread(target=start)
    return Trouble([sink], {frames // 3: stop, 2 * frames // 3: later.start}, arrived)


def full_disk(_stack: ExitStack, _folder: Path, _frames: int) -> Trouble:
    """The JSONL file beside a second one on a device that is full."""
    return Trouble([open_sink("jsonl", "/dev/full")])


def full_disk_and_back(stack: ExitStack, _folder: Path, frames: int) -> Trouble:
    """No file of this process may grow for a while: writing fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
    return Trouble(
        steps={
            frames // 3: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard)),
            2 * frames // 3: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)),
        }
    )


CASES: dict[str, Make] = {
    "JSONL alone": plain,
    "page, clients that never read": deaf_clients,
    "MQTT, no broker": no_broker,
    "MQTT, broker away and back": broker_and_back,
    "a second JSONL file on a full disk": full_disk,
    "JSONL on a disk that is full for a while": full_disk_and_back,
}


@dataclass(frozen=True, slots=True)
class Found:
    """Frames a second, and verdicts that are missing in the JSONL file and behind the sink beside it."""

    rate: float
    missing: int
    missing_beside: int | None


def once(model: Model, images: list[Image], fps: float | None, make: Make, frames: int) -> Found:
    """One run of so many frames; what comes before and after it is not timed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orilla-sinks-")))
        trouble = make(stack, folder, frames)
        written = folder / "verdicts.jsonl"
        sinks = [open_sink("jsonl", written), *trouble.sinks]
        pipeline = Pipeline(model, Camera(images, fps), sinks)
        start = 0.0
        for number, _ in enumerate(pipeline, start=1 - WARM_UP):
            if number == 0:
                start = time.perf_counter()
            if number in trouble.steps:
                trouble.steps[number]()
            if number == frames:
                break
        seconds = time.perf_counter() - start
        _settle(pipeline, [0, 1] if trouble.arrived else [0])
        # What never came back is told as an error, which is right.
        with suppress(SinkError):
            pipeline.close()
        taken = pipeline.counts.processed
        missing = taken - len(written.read_text(encoding="utf-8").splitlines())
        beside = taken - trouble.arrived() if trouble.arrived else None
    return Found(frames / seconds, missing, beside)


def _settle(pipeline: Pipeline, places: list[int]) -> None:
    """Let sinks that work again catch up, as they would while a run goes on."""
    _wait_for(lambda: all(pipeline.reports[place].written >= pipeline.counts.processed for place in places))


def compare(name: str, images: list[Image], fps: float | None, frames: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each case with one model and one camera."""
    cases = {case: make for case, make in CASES.items() if make is not broker_and_back or _mosquitto()}
    found: dict[str, list[Found]] = {case: [] for case in cases}
    with load(test_data() / "models" / name) as model:
        for turn in range(rounds):
            order = list(cases)
            # Each goes first once, last once: a machine that grows warm or busy treats all alike.
            for case in order[turn % len(order) :] + order[: turn % len(order)]:
                found[case].append(once(model, images, fps, cases[case], frames))
            print(name, {case: round(results[-1].rate, 1) for case, results in found.items()}, flush=True)
    alone = found["JSONL alone"]
    return [_row(name, fps, case, results, alone) for case, results in found.items()]


def _row(name: str, fps: float | None, case: str, results: list[Found], alone: list[Found]) -> dict[str, Any]:
    beside = [one.missing_beside for one in results if one.missing_beside is not None]
    return {
        "model": name,
        "camera": f"{fps:g} a second" if fps else "as fast as it can",
        "run": case,
        "frames a second": spread([one.rate for one in results]),
        "of JSONL alone": spread([one.rate / plain.rate for one, plain in zip(results, alone, strict=True)]),
        "missing in JSONL": sum(one.missing for one in results),
        "missing at the broker": sum(beside) if beside else None,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Every sink's outage is logged as it should be, and is no news here."""
    logger = logging.getLogger("orilla_runtime")
    before, logger.disabled = logger.level, False
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def main() -> None:
    """Run, and write what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sinks_rate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=900, help="of each run")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args()
    paths = make_folder(Path(tempfile.gettempdir()) / "orilla-throughput" / "folder", 40)[:8]
    images = [image for path in paths if (image := cv2.imread(str(path))) is not None]
    for image in images:
        image.setflags(write=False)
    with _quiet():
        rows = [row for name in MODELS for row in compare(name, images, None, asked.frames, asked.rounds)]  # type: ignore[arg-type]
        rows += compare(MODELS[-1], images, FPS, asked.frames // 3, PACED_ROUNDS)  # type: ignore[arg-type]
    document = {
        "benchmark": "sinks_rate",
        "machine": machine(),
        "rounds": asked.rounds,
        "frames": asked.frames,
        "mosquitto": _mosquitto() is not None,
        "rows": rows,
    }
    (asked.results / "sinks_rate.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    text = _page(document)
    (asked.results / "sinks_rate.md").write_text(text, encoding="utf-8")
    print(text)


def _page(document: dict[str, Any]) -> str:
    about, columns = document["machine"], list(document["rows"][0])
    lines = ["# Sinks in trouble, and the rate of verdicts", ""]
    lines += [(__doc__ or "").split("\n\n", 1)[1].strip().replace("\n", " "), ""]
    lines += ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(map(_cell, row.values())) + " |" for row in document["rows"]]
    lines += [
        "",
        f"Medians of {document['rounds']} rounds of {document['frames']} frames, with quartiles; at {FPS:g} fps of "
        f"{PACED_ROUNDS} rounds of a third of them. {about['processor']}, "
        f"{about['usable_cpus']} CPUs, {about['system']}, {about['date']}.",
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['median']}" + (f" ({value['low']}–{value['high']})" if "low" in value else "")
    return "" if value is None else str(value)


def _mosquitto() -> str | None:
    return shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


if __name__ == "__main__":
    main()
