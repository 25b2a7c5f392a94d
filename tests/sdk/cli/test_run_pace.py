"""`orilla run`: how much is worked off, how small it may be decoded, and a signal while a camera hangs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from orilla_runtime.model import load
from tests.sdk.cli.test_run import orilla_run

Unzip = Callable[[str], Path]


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


@pytest.fixture(scope="module")
def large(unzipped: Unzip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """110 JPEGs of 640x480, the first 10 of which hold photos of their own."""
    folder = tmp_path_factory.mktemp("large")
    photos = sorted((unzipped("imagenet_samples_256.zip") / "images").iterdir())[:10]
    for number in range(110):
        photo = cv2.imread(str(photos[number % 10]))
        assert photo is not None
        cv2.imwrite(str(folder / f"{number:03}.jpg"), cv2.resize(photo, (640, 480), interpolation=cv2.INTER_CUBIC))
    return folder


def test_where_the_labels_agree_the_rest_is_decoded_smaller_and_the_summary_says_so(model: Path, large: Path) -> None:
    done = orilla_run(model, large, "--json", "--threads", "2")
    assert done.returncode == 0
    found = json.loads(done.stdout)["reduced_decoding"]
    assert found["compared"] == 100
    agreed = found["agreed"] >= 99
    assert found["pictures"] == (10 if agreed else 0)
    assert f"{found['agreed']} of 100 labels were the same both ways" in done.stderr


def test_pictures_that_are_shown_are_whole_unless_smaller_ones_were_asked_for(
    model: Path, large: Path, tmp_path: Path
) -> None:
    whole = orilla_run(model, large, "--save", tmp_path / "whole", "--max-frames", "3", "--json")
    small = orilla_run(model, large, "--save", tmp_path / "small", "--max-frames", "3", "--json", "--decode", "reduced")
    assert "reduced_decoding" not in json.loads(whole.stdout)
    assert json.loads(small.stdout)["reduced_decoding"] == {"pictures": 3, "compared": 0, "agreed": 0}
    widths = [cv2.imread(str(next((tmp_path / name).iterdir()))).shape[1] for name in ("whole", "small")]  # type: ignore[union-attr]
    assert widths == [640, 320]


def test_every_so_many_th_frame(model: Path, unzipped: Unzip, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = orilla_run(model, unzipped("video.zip") / "photos_h264.mp4", "--every", "12", "--jsonl", out)
    assert [json.loads(line)["index"] for line in out.read_text().splitlines()] == list(range(0, 96, 12))
    assert "8 frames, 88 skipped in" in done.stderr


def test_a_rate_for_files_is_refused(model: Path, large: Path) -> None:
    done = orilla_run(model, large, "--rate", "5")
    assert done.returncode == 2
    assert "--every" in done.stderr or "every=N" in done.stderr


HANGING = """
import sys, threading, time
from datetime import UTC, datetime
import numpy as np
from orilla.cli.stopping import stopped_by_signals
from orilla_runtime.model import load
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.sources.base import Frame
from pathlib import Path

class Hanging:
    live, total, dropped, name = True, None, 0, "camera"
    def __iter__(self):
        for number in range(5):
            image = np.full((32, 32, 3), number, np.uint8)
            yield Frame(image, number, self.name, None, time.monotonic_ns(), datetime.now(UTC))
            while pipeline.counts.processed <= number:
                time.sleep(0.001)
        print("hangs", flush=True)
        threading.Event().wait()
    def close(self):
        threading.Event().wait()

with load(sys.argv[1], threads=1) as model:
    pipeline = Pipeline(model, Hanging(), [JsonlSink(Path(sys.argv[2]))])
    with stopped_by_signals(pipeline.stop):
        pipeline.run()
print(pipeline.counts, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_a_run_whose_camera_hangs_and_every_verdict_is_written(
    number: signal.Signals, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", HANGING, str(model), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert told == "Counts(processed=5, failed=0, dropped=0, skipped=0)\n"
    assert [json.loads(line)["index"] for line in out.read_text().splitlines()] == list(range(5))


def test_pictures_at_once_give_the_results_of_one_at_a_time(model: Path, large: Path) -> None:
    from orilla_runtime.pipeline import run

    with load(model, threads=1) as one:
        alone = [result.top for _, result in run(one, large, max_frames=12)]
    with load(model) as every:
        assert [result.top for _, result in run(every, large, max_frames=12, workers=3)] == alone
