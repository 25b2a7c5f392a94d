"""The folder beside a model, `NAME.training`: what a training leaves for people, for tools and for its own resumption.

`checkpoint.npz` while the training is not finished, `history.csv`, `recipe.json`, `split.csv`, `augmented.png` and
`tensorboard/`. A training writes over what an earlier one of the same model left.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

from orilla.data.split import Split
from orilla.locking import lock
from orilla.training.checkpoint import Checkpoint, read_checkpoint
from orilla.training.events import EventLog
from orilla.training.plan import FOLDER_SUFFIX
from orilla.training.progress import EpochEnd, Event
from orilla_runtime.errors import SinkError
from orilla_runtime.files import replaced

_HELD = ".lock"
COLUMNS = tuple(field.name for field in fields(EpochEnd))


class Neighbour:
    """The folder of one training; nothing is made before `open`."""

    def __init__(self, model: Path) -> None:
        self.path = model.with_suffix(FOLDER_SUFFIX)
        self.checkpoint = self.path / "checkpoint.npz"
        self._log: EventLog | None = None
        self._held: BinaryIO | None = None
        self._epochs = 0

    def unfinished(self) -> Checkpoint | None:
        """The training that was not finished, if any.

        Raises:
            DataError: its checkpoint is damaged.
        """
        return read_checkpoint(self.checkpoint) if self.checkpoint.is_file() else None

    def open(self, recipe: Mapping[str, Any], split: Split, history: Sequence[EpochEnd]) -> None:
        """Make the folder and write what is known; `history` are the epochs that a resumed training has behind it.

        Raises:
            SinkError: the folder cannot be made or written to, or another training is writing to it.
        """
        try:
            self.path.mkdir(exist_ok=True)
            self._hold()
            for part in self.path.glob(".*.part*"):
                part.unlink()  # a killed training leaves the file that it was writing
        except OSError as error:
            raise SinkError(
                f"{self.path}: {error.strerror or error}.", "Make room for this folder, or add --no-record."
            ) from error
        split.write(self.path / "split.csv")
        with replaced(self.path / "recipe.json") as file:
            file.write_text(json.dumps(recipe, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        with replaced(self.path / "history.csv") as file:
            file.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        self._log = EventLog(self.path / "tensorboard")
        for end in history:
            self(end)

    def __call__(self, event: Event) -> None:
        """Write an epoch down."""
        if self._log is None or not isinstance(event, EpochEnd):
            return
        self._epochs += 1
        row = asdict(event)
        _append(self.path / "history.csv", ["" if row[name] is None else row[name] for name in COLUMNS])
        self._log.write(self._epochs, event)

    def close(self) -> None:
        """Close the logs, and let another training have the folder."""
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._held is not None:
            with suppress(OSError):  # Windows removes no open file; what is left there means nothing.
                (self.path / _HELD).unlink()
            self._held.close()
            self._held = None

    def _hold(self) -> None:
        """Two trainings that write the same files would spoil both."""
        held = (self.path / _HELD).open("wb")
        try:
            lock(held)
        except (BlockingIOError, PermissionError) as error:
            held.close()
            raise SinkError(
                f"{self.path} belongs to a training that is running.", "Wait for its end, or give another --output."
            ) from error
        except OSError:  # a file system without locks
            held.close()
        else:
            if os.name == "posix" and os.fstat(held.fileno()).st_nlink == 0:
                # The training that ended just now took this file away: another would lock the next one.
                held.close()
                self._hold()
                return
            self._held = held

    def finished(self) -> None:
        """The model is written: there is nothing to go on from any more."""
        with suppress(OSError):
            self.checkpoint.unlink()


def _append(table: Path, row: Sequence[Any]) -> None:
    """Add a row to a CSV, whole or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    try:
        before = table.stat().st_size
        try:
            with table.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)
        except OSError:
            os.truncate(table, before)  # a full disk takes the first part of a row
            raise
    except OSError as error:
        raise SinkError(f"{table}: {error.strerror or error}.", "Free space there.") from error
