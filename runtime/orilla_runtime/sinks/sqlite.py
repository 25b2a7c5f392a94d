"""SQLite: every verdict as a row, for months, in one file that other programs may read meanwhile."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.jsonl import as_object

APPLICATION = 0x4F52494C
"""`ORIL`, as the file's application id."""
VERSION = 1
_PATIENCE_SECONDS = 5.0
_FREE = "Free space, or write to another place."
_ADVICE = (
    # SQLite's names of results (https://www.sqlite.org/rescode.html).
    ("SQLITE_BUSY", "Another program writes to it for longer than 5 seconds."),
    ("SQLITE_CORRUPT", "Move it away, and a new one is made; `sqlite3 FILE .recover` saves what is left of it."),
    ("SQLITE_NOTADB", "Give the name of a new file."),
    ("SQLITE_READONLY", "See that this user may write the file and its folder."),
    ("SQLITE_CANTOPEN", "See that this user may write the file and its folder."),
)

_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    bundle TEXT,
    artifact TEXT NOT NULL,
    engine TEXT NOT NULL,
    processed INTEGER,
    failed INTEGER,
    dropped INTEGER
);
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    source TEXT NOT NULL,
    frame INTEGER NOT NULL,
    pts_seconds REAL,
    captured_at TEXT,
    label TEXT,
    class_id INTEGER,
    score REAL,
    decision TEXT,
    reason TEXT,
    error TEXT,
    infer_ms REAL,
    age_ms REAL,
    predictions TEXT
);
CREATE INDEX verdicts_by_time ON verdicts (captured_at);
"""
_ROW = (
    "INSERT INTO verdicts (run, source, frame, pts_seconds, captured_at, label, class_id, score, decision, reason,"
    " error, infer_ms, age_ms, predictions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteSink:
    """Appends to the tables `runs` and `verdicts` of a database, which is made where there is none.

    `label`, `class_id` and `score` are the best class; `decision` and `reason` are there where the run has rules;
    `predictions` (or the raw outputs) is the JSON of `run --jsonl`; of a failure there is `error`. Each row is its own
    transaction in write-ahead mode: a killed process loses none that was written, a power cut at most the last ones,
    and the file stays whole. When the file is taken away during a run, the next row begins a new one.

    Raises:
        SinkError: the file is no database of Orilla's, is of a newer version, or cannot be written.
    """

    durable = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run: int | None = None
        if path.is_dir() or not path.parent.is_dir():
            reason = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise SinkError(f"{path} cannot be written: {reason}.", "Give the name of a file.")
        try:
            self._database = self._open()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def write(self, record: Record) -> None:
        """Write one row."""
        row = _row(record)
        if self._file != _file_at(self.path):
            self._begin_anew()
        try:
            with self._database:
                if self._run is None:
                    self._run = self._begin(record)
                self._database.execute(_ROW, (self._run, *row))
        except sqlite3.Error as error:
            if not self._database.in_transaction and self._is_new_run():
                self._run = None  # Its row was rolled back with the verdict's.
            raise self._error(error) from error

    def finish(self, counts: Counts) -> None:
        """Write the end of the run with its counts."""
        if self._run is None:
            return
        try:
            with self._database:
                self._database.execute(
                    "UPDATE runs SET ended_at = ?, processed = ?, failed = ?, dropped = ? WHERE id = ?",
                    (_now(), counts.processed, counts.failed, counts.dropped, self._run),
                )
        except sqlite3.Error as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file; may be called twice."""
        with suppress(sqlite3.Error):
            self._database.close()

    def _begin_anew(self) -> None:
        """The file was taken away: further rows go to a new one, and none to a file that nobody finds."""
        with suppress(sqlite3.Error):  # Rows that are still in its log belong to it.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        self._run = None
        try:
            self._database = self._open()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _open(self) -> sqlite3.Connection:
        # The sink is opened in one thread and written to in another, never in two at once.
        database = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, check_same_thread=False)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        self._file = _file_at(self.path)
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        application = database.execute("PRAGMA application_id").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != APPLICATION:
            raise SinkError(f"{self.path} is a database of another program.", "Give the name of a new file.")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise SinkError(f"{self.path} was made by a newer Orilla (version {version}).", "Give a new file.")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            database.executescript(
                f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {_TABLES} COMMIT;"
            )

    def _begin(self, record: Record) -> int:
        made = self._database.execute(
            "INSERT INTO runs (started_at, bundle, artifact, engine) VALUES (?, ?, ?, ?)",
            (_now(), record.bundle, _storable(record.artifact), record.engine),
        )
        assert made.lastrowid is not None
        return made.lastrowid

    def _is_new_run(self) -> bool:
        with suppress(sqlite3.Error):
            return not self._database.execute("SELECT 1 FROM runs WHERE id = ?", (self._run,)).fetchone()
        return False

    def _error(self, error: sqlite3.Error) -> SinkError:
        name = getattr(error, "sqlite_errorname", None) or ""
        remedy = next((advice for kind, advice in _ADVICE if name.startswith(kind)), _FREE)
        return SinkError(f"{self.path} cannot be written: {error}.", remedy)


def _file_at(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none."""
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def _row(record: Record) -> tuple[Any, ...]:
    values = as_object(record)
    if record.failure is not None:
        head = (values["source"], values["index"], None, values["captured_at"])
        return tuple(map(_storable, (*head, *[None] * 5, values["error"], None, None, None)))
    best = values.get("predictions", [{}])[0]
    decision = values.get("decision", {})
    times = values["timing_ms"]
    held = next(values[key] for key in ("predictions", "outputs", "result") if key in values)
    cells = (
        values["source"],
        values["index"],
        values["pts_seconds"],
        values["captured_at"],
        best.get("label"),
        best.get("class_id"),
        best.get("score"),
        decision.get("label"),
        decision.get("reason") or None,
        None,
        times["infer"],
        times.get("age"),
        json.dumps(held, ensure_ascii=False),
    )
    return tuple(map(_storable, cells))


def _storable(cell: Any) -> Any:
    """SQLite takes no lone surrogates, which file names that are no UTF-8 hold: they are escaped as in JSON."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
