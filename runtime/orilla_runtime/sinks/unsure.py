"""Pictures of frames that no class was good enough for, to be labelled and trained on: `--save-unsure`."""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Literal, get_args

import cv2

from orilla_runtime.errors import SinkError, UsageError
from orilla_runtime.files import replaced
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.naming import plain, stem
from orilla_runtime.sources.base import Frame, Image
from orilla_runtime.tasks.classification import Classification, Prediction
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

Kind = Literal["jpg", "png"]
_MB = 1_000_000
_QUALITY = 95
_COUNT_AGAIN = 60.0
_SOURCES = 64


class UnsureSink:
    """Saves the whole picture of each frame whose decision is `unknown`; of a run without rules, none.

    A file is named by time (UTC), source, index and best class: `20300517T083000.250Z_line-3_000042_scratch.jpg`.
    The files of the folder never hold more than `limit_mb` together; those that are there already are counted, and
    once a minute all of them anew. When the next picture would be too much, this is logged, once, and none is saved
    until files were taken away. Of each live source at most one picture in `seconds` is saved.

    Args:
        folder: made where there is none.
        limit_mb: megabytes (1,000,000 bytes), more than 0.
        kind: `jpg` (quality 95) or `png` (without loss, several times as large).
        seconds: between two pictures of a live source, 0 or more.

    Raises:
        UsageError: an impossible limit, kind or number of seconds.
        SinkError: the folder cannot be made or, in `write`, a picture cannot be written.
    """

    def __init__(self, folder: Path, *, limit_mb: float = 500.0, kind: Kind = "jpg", seconds: float = 1.0) -> None:
        if not 0 < limit_mb < math.inf:
            raise UsageError(f"limit_mb={limit_mb} is not possible.", "Give more than 0 megabytes.")
        if kind not in get_args(Kind):
            raise UsageError(f"kind={kind!r} is not known.", f"Use {' or '.join(get_args(Kind))}.")
        if not 0 <= seconds < math.inf:
            raise UsageError(f"seconds={seconds} is not possible.", "Give 0 or more.")
        self._folder = folder
        self._limit = int(limit_mb * _MB)
        self._kind = kind
        self._seconds = seconds
        self._last: dict[str, float] = {}
        self._is_full = self._was_told = False
        try:
            self._count()
        except FileNotFoundError as error:
            raise SinkError(f"{folder}: there is no folder {folder.parent}.", "Make the folder first.") from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SinkError(f"{folder} cannot be used: {reason}.", "Give another folder.") from error

    def write(self, record: Record) -> None:
        """Save the picture where it is an unsure one and there is room."""
        frame, result = record.frame, record.result
        if frame is None or not isinstance(result, Classification) or not _is_unsure(result):
            return
        is_live = record.timing is not None and record.timing.age is not None
        if self._is_closed_for_now() or (is_live and self._is_too_soon(frame)):
            return
        data = self._encoded(frame.image)
        if self._used + len(data) > self._limit:
            self._fill_up()
            return
        if not self._folder.is_dir():
            self._count()
        path = self._free_path(frame, result.top)
        with replaced(path) as part:
            part.write_bytes(data)
        self._used += len(data)
        if is_live:
            self._remember(frame)

    def finish(self, counts: Counts) -> None:
        """Every picture is there already."""

    def close(self) -> None:
        """Nothing is held open."""

    def _is_closed_for_now(self) -> bool:
        if time.monotonic() - self._counted_at >= _COUNT_AGAIN:
            try:
                self._count()
            except OSError as error:
                raise SinkError(f"{self._folder} cannot be used: {error.strerror}.", "Give another folder.") from error
        return self._is_full

    def _fill_up(self) -> None:
        self._is_full = True
        if not self._was_told:
            self._was_told = True
            _log.warning(
                "%s is full (%d MB): no more pictures of unsure frames are saved.",
                printable(str(self._folder)),
                self._limit // _MB,
            )

    def _is_too_soon(self, frame: Frame) -> bool:
        last = self._last.get(frame.source)
        return last is not None and frame.captured_ns / 1e9 - last < self._seconds

    def _remember(self, frame: Frame) -> None:
        self._last.pop(frame.source, None)
        self._last[frame.source] = frame.captured_ns / 1e9
        if len(self._last) > _SOURCES:
            del self._last[next(iter(self._last))]

    def _encoded(self, image: Image) -> bytes:
        flags = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if self._kind == "jpg" else []
        done, data = cv2.imencode(f".{self._kind}", image, flags)
        if not done:
            raise SinkError(f"OpenCV cannot write a {self._kind} of {image.shape[1]}x{image.shape[0]} pixels.")
        return data.tobytes()

    def _free_path(self, frame: Frame, best: Prediction) -> Path:
        moment = frame.captured_at.astimezone(UTC)
        at = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
        source = stem(frame.source).replace(" ", "-")
        label = plain(best.label, f"class-{best.class_id}").replace(" ", "-")
        name = f"{at}_{source}_{frame.index:06d}_{label}"
        path, again = self._folder / f"{name}.{self._kind}", 1
        while path.exists():
            again += 1
            path = self._folder / f"{name}-{again}.{self._kind}"
        return path

    def _count(self) -> None:
        """What is in the folder by now: files, or all of it, are taken away, and another run may save there too."""
        self._folder.mkdir(exist_ok=True)
        used = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):  # Taken away meanwhile
                    used += entry.stat().st_size if entry.is_file() else 0
        self._used, self._is_full, self._counted_at = used, False, time.monotonic()


def _is_unsure(result: Classification) -> bool:
    return result.decision is not None and result.decision.class_id is None
