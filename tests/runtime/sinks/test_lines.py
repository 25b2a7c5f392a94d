"""JSONL and CSV: what a line holds, odd names, full disks, broken pipes."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orilla_runtime.decisions import Decider, Rules
from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Sink, StopRun
from orilla_runtime.sinks.csv import CsvSink
from orilla_runtime.sinks.jsonl import JsonlSink
from orilla_runtime.tasks.raw import RawOutputs
from tests.conftest import REPOSITORY
from tests.runtime.sinks.records import RESULT, failure_record, frame_record

BOTH = pytest.mark.parametrize("make", [JsonlSink, CsvSink])
Make = Callable[[Path], Sink]


def test_a_json_line_holds_the_frame_its_result_its_cost_and_its_model() -> None:
    text = io.StringIO()
    JsonlSink(text).write(frame_record(index=7, pts=0.28))
    assert json.loads(text.getvalue()) == {
        "source": "photos/cat.jpg",
        "index": 7,
        "pts_seconds": 0.28,
        "captured_at": "2030-05-17T08:30:00.250+00:00",
        "predictions": [
            {"label": "tabby", "class_id": 281, "score": 0.75},
            {"label": "Katze, groß", "class_id": 282, "score": 0.125},
        ],
        "timing_ms": {"decode": 1.5, "preprocess": 0.25, "infer": 4.0, "postprocess": 0.125},
        "bundle": "ab" * 32,
        "artifact": "artifacts/int8.tflite",
        "engine": "litert/cpu",
    }
    assert "groß" in text.getvalue()
    assert text.getvalue().count("\n") == 1


def test_a_failure_is_a_json_line_with_its_error() -> None:
    text = io.StringIO()
    JsonlSink(text).write(failure_record())
    found = json.loads(text.getvalue())
    assert (found["source"], found["index"]) == ("photos/cut.jpg", 1)
    assert (found["error"], found["kind"]) == ("photos/cut.jpg is a JPEG that is cut off.", "unreadable")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found["captured_at"])).total_seconds() < 60
    assert "predictions" not in found


def test_raw_outputs_are_json_and_what_is_not_finite_is_null() -> None:
    text = io.StringIO()
    outputs = RawOutputs({"boxes": np.array([[1.5, np.nan], [np.inf, 2.0]], np.float32)})
    JsonlSink(text).write(frame_record(result=outputs))
    assert json.loads(text.getvalue())["outputs"] == {"boxes": [[1.5, None], [None, 2.0]]}


def test_csv_has_a_header_a_row_a_frame_and_a_row_a_failure(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "out.csv")
    sink.write(frame_record('a,b\n"c".jpg'))
    sink.write(failure_record())
    sink.finish(Counts(1, 1))
    sink.close()
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        good, bad = csv.DictReader(file)
    assert (good["source"], good["label"], good["class_id"], good["score"]) == ('a,b\n"c".jpg', "tabby", "281", "0.75")
    assert (good["pts_seconds"], good["error"], good["infer_ms"]) == ("", "", "4.0")
    assert (bad["label"], bad["error"]) == ("", "photos/cut.jpg is a JPEG that is cut off.")
    assert good["captured_at"] == "2030-05-17T08:30:00.250+00:00"
    assert datetime.fromisoformat(bad["captured_at"]).tzinfo is not None
    assert good["bundle"] == bad["bundle"] == "ab" * 32


def test_csv_ends_with_the_decision_and_its_reason() -> None:
    text = io.StringIO()
    sink = CsvSink(text)
    labels = [one.label for one in RESULT.predictions]
    for rules in (Rules(threshold=0.5), Rules(threshold=0.9)):
        sink.write(Decider(rules, labels)(frame_record()))
    sink.write(frame_record())
    sure, unsure, without = csv.DictReader(io.StringIO(text.getvalue()))
    assert list(sure)[-2:] == ["decision", "reason"]
    assert (sure["decision"], sure["reason"]) == ("tabby", "")
    assert (unsure["decision"], unsure["reason"]) == ("unknown", "tabby has 0.75, below its threshold of 0.9")
    assert (without["decision"], without["reason"]) == ("", "")


@given(st.text(st.characters(codec=None), min_size=1))
def test_any_name_becomes_one_line_of_utf8_that_reads_back(name: str) -> None:
    stream = io.BytesIO()
    text = io.TextIOWrapper(stream, encoding="ascii")
    JsonlSink(text).write(frame_record(name))
    line = stream.getvalue().decode("utf-8")
    assert line.count("\n") == 1
    assert json.loads(line)["source"] == name


@BOTH
def test_an_old_file_stays_until_there_is_a_result(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old and much longer than any header could be" * 20)
    sink = make(target)
    assert target.read_text().startswith("old")
    sink.finish(Counts())
    sink.close()
    sink.close()
    assert "old" not in target.read_text()


@BOTH
def test_a_place_that_cannot_be_written_is_refused_at_once(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="there is no folder"):
        make(tmp_path / "missing" / "out")
    with pytest.raises(SinkError, match="is a folder"):
        make(tmp_path)


@BOTH
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_an_error_that_names_it(make: Make) -> None:
    sink = make(Path("/dev/full"))
    with pytest.raises(SinkError, match="/dev/full cannot be written: No space left"):
        sink.write(frame_record())
    sink.close()


@BOTH
def test_a_file_that_may_not_grow_ends_with_a_whole_line(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = make(target)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    written = 0
    try:
        with pytest.raises(SinkError, match="cannot be written"):  # noqa: PT012 - the line that does not fit is unknown
            while True:
                sink.write(frame_record(index=written))
                written += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sink.close()
    content = target.read_text(encoding="utf-8")
    assert content.endswith("litert/cpu,,\n" if make is CsvSink else "}\n")
    assert written == content.count("\n") - (make is CsvSink)


@BOTH
def test_a_reader_that_goes_away_stops_the_run(make: Callable[[io.TextIOWrapper], Sink]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        sink = make(stream)
        with pytest.raises(StopRun):
            sink.write(frame_record())


@BOTH
def test_a_stream_to_a_full_disk_goes_on_with_whole_lines(make: Callable[..., Sink], tmp_path: Path) -> None:
    """As the run's queue does: the record that was refused is tried again, or given up, and others follow."""
    target = tmp_path / "out"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with target.open("w", encoding="utf-8") as stream:
        sink = make(stream)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            for again in (0, 2):
                for _ in range(3):
                    with pytest.raises(SinkError):  # noqa: PT012 - which of them does not fit is unknown
                        for index in range(again, 10):
                            sink.write(frame_record(index=index))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sink.write(frame_record(index=11))
        sink.write(frame_record(index=12))
    found = indices(make, target)
    assert found[0] == 0
    assert found[-2:] == [11, 12]
    assert len(found) >= 4


def test_standard_output_keeps_its_order() -> None:
    program = (
        "import sys; from pathlib import Path; from orilla_runtime.sinks.registry import open_sink;"
        "from tests.runtime.sinks.records import frame_record;"
        "sys.stdout.write('before\\n'); sink = open_sink('jsonl', '-'); sink.write(frame_record()); print('after')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    before, line, after = done.stdout.splitlines()
    assert (before, after) == ("before", "after")
    assert json.loads(line)["index"] == 0


@BOTH
def test_lines_are_added_behind_the_last_whole_one(make: Callable[..., Sink], tmp_path: Path) -> None:
    target = tmp_path / "out"
    for index in range(2):
        sink = make(target, append=True)
        sink.write(frame_record(index=index))
        sink.finish(Counts(1))
        sink.close()
        with target.open("ab") as file:
            file.write(b'{"source": "a power c\0\0\0')
    sink = make(target, append=True)
    sink.write(frame_record(index=2))
    sink.close()
    assert indices(make, target) == [0, 1, 2]


@BOTH
def test_a_file_that_is_taken_away_or_emptied_is_begun_anew(make: Callable[..., Sink], tmp_path: Path) -> None:
    target, archived = tmp_path / "out", tmp_path / "out.1"
    sink = make(target, append=True)
    sink.write(frame_record(index=0))
    target.rename(archived)
    sink.write(frame_record(index=1))
    sink.write(frame_record(index=2))
    assert indices(make, archived) == [0]
    assert indices(make, target) == [1, 2]
    os.truncate(target, 0)
    sink.write(frame_record(index=3))
    target.unlink()
    sink.write(frame_record(index=4))
    sink.close()
    assert indices(make, target) == [4]


@BOTH
def test_two_runs_into_one_file_tear_no_line(make: Callable[..., Sink], tmp_path: Path) -> None:
    target = tmp_path / "out"
    one, other = make(target, append=True), make(target, append=True)
    for index in range(0, 20, 2):
        one.write(frame_record(index=index))
        other.write(frame_record("other", index + 1))
    one.close()
    other.close()
    assert indices(make, target) == list(range(20))


def test_rows_are_not_added_below_other_columns(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("part,verdict\n1,ok\n")
    with pytest.raises(SinkError, match="other columns"):
        CsvSink(target, append=True)
    assert target.read_text() == "part,verdict\n1,ok\n"


def indices(make: Callable[..., Sink], path: Path) -> list[int]:
    if make is JsonlSink:
        return [json.loads(line)["index"] for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return [int(row["index"]) for row in csv.DictReader(file)]
