"""What the status line of a camera run says, and how it leaves room for others."""

from __future__ import annotations

import io
from dataclasses import replace

from orilla.cli.status_line import StatusLine, fitted, status
from orilla_runtime.pipeline import Pipeline
from orilla_runtime.sinks.base import Counts
from orilla_runtime.tasks.classification import Classification, Decision
from orilla_runtime.timing import Timing
from tests.runtime.pipeline.stage import Camera, Shows
from tests.runtime.sinks.records import RESULT, frame_record

LIVE = replace(frame_record("camera 0"), timing=Timing(1.0, 2.0, 3.0, 4.0, 34.4))


def test_rate_age_counts_and_the_newest_result() -> None:
    moments = tuple(100 + number / 25 for number in range(50))
    text = status(Counts(1204, 1, 3), LIVE, moments, 102.0)
    assert text == "25.0 a second, age 34 ms, 1,204 frames, 3 dropped, 1 failed  camera 0: tabby 0.75"
    decided = replace(LIVE, result=Classification(RESULT.predictions, Decision("unknown", None, 0.75, "too low")))
    assert status(Counts(7), decided, moments, 102.0).endswith(", 7 frames  camera 0: unknown 0.75")


def test_silence_is_said() -> None:
    assert status(Counts(), None, (), 100.0) == "no frame yet, 0 frames"
    assert status(Counts(9, 1), LIVE, (50.0,), 100.0) == "no frame for 50 s, 9 frames, 1 failed"


def test_a_line_is_no_wider_than_its_terminal() -> None:
    assert fitted("camera 0", 6) == "camera"
    assert fitted("日本語", 5) == "日本"
    assert fitted("", 0) == ""


def test_lines_of_others_stand_above_it() -> None:
    screen = io.StringIO()
    line = StatusLine(screen)
    with Pipeline(Shows(), Camera()) as pipeline, line.follow(pipeline):
        line.see(LIVE)
        with line.aside():
            screen.write("a warning\n")
        with line.aside():
            screen.write("another\n")
    written = screen.getvalue().split("\n")
    assert [part.rpartition("\r")[2] for part in written] == ["a warning", "another", ""]
    assert "0 frames" in written[1]
    assert "0 frames" in written[2]
