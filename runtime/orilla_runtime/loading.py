"""What opening a file gives: everything that a `Model` is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orilla_runtime.engines.base import Session
from orilla_runtime.records import dataclass

if TYPE_CHECKING:
    from orilla_runtime.bundle.reader import Bundle
    from orilla_runtime.preprocess import Preprocess
    from orilla_runtime.tasks.classification import ClassificationTask
    from orilla_runtime.tasks.raw import RawTask


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that a `Model` is made of; its attributes say what each is.

    `again` opens another session of the same bytes on the same engine, with that many threads; `threads` is what the
    caller allowed, None for every CPU; `session_threads` what the session was given.
    """

    path: Path
    artifact: str
    format: str
    precision: str | None
    engine: str
    session: Session
    task: ClassificationTask | RawTask
    preprocess: Preprocess | None
    bundle: Bundle | None
    again: Callable[[int], Session]
    threads: int | None
    session_threads: int | None
    why: str
