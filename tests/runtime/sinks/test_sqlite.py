"""The database of verdicts: what stands in it, who may read it, and what it refuses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orilla_runtime.decisions import Decider, Rules
from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.registry import open_sink
from orilla_runtime.sinks.sqlite import SqliteSink
from orilla_runtime.sources.base import Failure
from orilla_runtime.timing import Timing
from tests.runtime.decisions.test_rules import LABELS, record


def verdict(*scores: float, index: int = 0) -> Record:
    return replace(record(*scores, index=index), timing=Timing(1.0, 2.0, 3.0, 4.0, 5.5), bundle="ab" * 32)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def test_frames_failures_and_the_run_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "line.db"
    sink = open_sink("sqlite", path)
    sink.write(verdict(0.2, 0.7, 0.1))
    sink.write(Decider(Rules(threshold=0.9), LABELS)(verdict(0.2, 0.7, 0.1, index=1)))
    sink.write(Record(None, None, None, Failure("line 1", 2, "it was lost"), "ab" * 32, "a.tflite", "litert/cpu"))
    sink.finish(Counts(processed=2, failed=1, dropped=7))
    sink.close()
    found = rows(path, "SELECT source, frame, label, class_id, score, decision, error, infer_ms, age_ms FROM verdicts")
    assert found == [
        ("line 1", 0, "scratch", 1, 0.7, None, None, 3.0, 5.5),
        ("line 1", 1, "scratch", 1, 0.7, "unknown", None, 3.0, 5.5),
        ("line 1", 2, None, None, None, None, "it was lost", None, None),
    ]
    assert rows(path, "SELECT bundle, artifact, engine, processed, failed, dropped FROM runs") == [
        ("ab" * 32, "a.tflite", "litert/cpu", 2, 1, 7)
    ]


def test_a_second_run_is_appended_and_a_reader_sees_rows_while_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "line.db"
    for _ in range(2):
        sink = SqliteSink(path)
        sink.write(verdict(0.2, 0.7, 0.1))
        assert rows(path, "SELECT count(*) FROM verdicts")[0][0] in {1, 2}
        sink.finish(Counts(1))
        sink.close()
    assert rows(path, "SELECT run, count(*) FROM verdicts GROUP BY run") == [(1, 1), (2, 1)]


def test_a_killed_process_leaves_every_row_that_was_written(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from orilla_runtime.sinks.sqlite import SqliteSink\n"
        "from tests.runtime.sinks.test_sqlite import verdict\n"
        "sink = SqliteSink(Path(sys.argv[1]))\n"
        "for number in range(50): sink.write(verdict(0.2, 0.7, 0.1, index=number))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "line.db"
    repository = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", program, str(path)], cwd=repository, check=False).returncode == -9
    assert rows(path, "SELECT count(*), max(frame) FROM verdicts") == [(50, 49)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_is_no_database_of_ours_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    foreign = sqlite3.connect(other)
    foreign.execute("CREATE TABLE parts (id)")
    foreign.close()
    text = tmp_path / "notes.txt"
    text.write_text("these are my notes, and they are long enough to be no empty database" * 20)
    newer = tmp_path / "newer.db"
    SqliteSink(newer).close()
    changed = sqlite3.connect(newer)
    changed.execute("PRAGMA user_version = 9")
    changed.close()
    for path, words in ((other, "another program"), (text, "not a database"), (newer, "newer Orilla")):
        before = path.read_bytes()
        with pytest.raises(SinkError, match=words):
            SqliteSink(path)
        assert path.read_bytes() == before


def test_a_folder_or_a_missing_one_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "line.db"):
        with pytest.raises(SinkError, match="cannot be written"):
            SqliteSink(path)


def test_a_locked_database_is_an_error_that_a_later_try_overcomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orilla_runtime.sinks.sqlite._PATIENCE_SECONDS", 0.05)
    path = tmp_path / "line.db"
    sink = SqliteSink(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(SinkError, match="locked") as caught:
        sink.write(verdict(0.2, 0.7, 0.1))
    assert caught.value.remedy.startswith("Another program writes to it")
    blocker.execute("ROLLBACK")
    blocker.close()
    sink.write(verdict(0.2, 0.7, 0.1))
    sink.finish(Counts(1))
    sink.close()
    assert rows(path, "SELECT run FROM verdicts") == rows(path, "SELECT id FROM runs") == [(1,)]


def test_names_that_are_no_utf8_are_kept_as_json_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "line.db"
    sink = SqliteSink(path)
    good = verdict(0.2, 0.7, 0.1)
    assert good.frame is not None
    sink.write(replace(good, frame=replace(good.frame, source="in/\udcff.jpg"), artifact="\udcfe.tflite"))
    sink.write(replace(good, frame=None, result=None, timing=None, failure=Failure("in/\udcff.jpg", 1, "cut")))
    sink.close()
    assert rows(path, "SELECT source FROM verdicts") == [(r"in/\udcff.jpg",)] * 2
    assert rows(path, "SELECT count(*) FROM verdicts WHERE captured_at IS NULL") == [(0,)]
    assert rows(path, "SELECT artifact FROM runs") == [(r"\udcfe.tflite",)]


def test_a_file_that_is_moved_or_removed_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path, archived = tmp_path / "line.db", tmp_path / "archived.db"
    sink = SqliteSink(path)
    for index in range(3):
        sink.write(verdict(0.2, 0.7, 0.1, index=index))
    path.rename(archived)
    sink.write(verdict(0.2, 0.7, 0.1, index=3))
    assert rows(archived, "SELECT frame FROM verdicts") == [(0,), (1,), (2,)]
    assert rows(path, "SELECT frame FROM verdicts") == [(3,)]
    path.unlink()
    sink.write(verdict(0.2, 0.7, 0.1, index=4))
    sink.finish(Counts(5))
    sink.close()
    assert rows(path, "SELECT frame FROM verdicts") == [(4,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
