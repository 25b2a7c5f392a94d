"""One annotated video, written beside its target and renamed when it is whole."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2

from orilla_runtime.errors import SinkError
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.drawing import Layout, draw, layout_for
from orilla_runtime.sources.base import Image

VIDEO_CODECS = {".mp4": ("mp4v", "avc1"), ".mov": ("mp4v", "avc1"), ".avi": ("MJPG", "mp4v"), ".mkv": ("mp4v", "MJPG")}
"""Codecs to try for each kind of file: those of the wheels on PyPI first."""

_FRAMES_FOR_RATE = 5
_PICTURES_PER_SECOND = 2.0
_RATE_WITHOUT_TIMES = 25.0
_MAX_LIVE_RATE = 60.0
_MAX_SIDE = 3840
_CHECK_DISK_EVERY = 30
_RESERVE = 8 * 1024 * 1024


class _Time(NamedTuple):
    source: str
    pts: float | None
    captured: float


class AnnotatedVideo:
    """Writes every frame with its result as one frame of a video.

    The first frame sets the size; others are fitted into it. The rate follows from the times of the first few
    frames; pictures, which have none, follow each other at 2 a second. OpenCV does not say when the disk is full, so
    the room on the disk is watched, and the frames of the finished file are counted.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        if not target.parent.is_dir():
            raise SinkError(f"{target}: there is no folder {target.parent}.", "Make the folder first.")
        if not os.access(target.parent, os.W_OK):
            raise SinkError(f"{target.parent} cannot be written to.", "Give another folder.")
        # The suffix stays, because it is what OpenCV takes the container from.
        self._part = target.absolute().with_name(f".{secrets.token_hex(6)}.part{target.suffix.lower()}")
        self._first: list[tuple[_Time, Image]] = []
        self._layout: Layout | None = None
        self._writer: cv2.VideoWriter | None = None
        self._written = 0

    def write(self, record: Record) -> None:
        """Draw and write one frame."""
        frame = record.frame
        if frame is None:
            return
        if self._layout is None:
            self._layout = layout_for(frame.image, record.result, _MAX_SIDE)
        drawing = draw(frame.image, record.result, self._layout)
        if self._writer is not None:
            self._append(drawing)
            return
        self._first.append((_Time(frame.source, frame.pts_seconds, frame.captured_ns / 1e9), drawing))
        if len(self._first) == _FRAMES_FOR_RATE:
            self._start()

    def finish(self, counts: Counts) -> None:  # noqa: ARG002 - the door's signature
        """Close the video, see that it is whole and put it in its place. Without a frame there is no video."""
        if self._writer is None and self._first:
            self._start()
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        self._check()
        try:
            self._part.replace(self._target)
        except OSError as error:
            raise SinkError(f"{self._target} cannot be written: {error.strerror}.", "Give another name.") from error

    def close(self) -> None:
        """Release the writer and remove what was not finished."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._first.clear()
        with suppress(OSError):
            self._part.unlink()

    def _start(self) -> None:
        assert self._layout is not None
        self._check_disk()
        height, width = self._layout.size
        rate = _rate([taken for taken, _ in self._first])
        for codec in VIDEO_CODECS[self._part.suffix]:
            with suppress(cv2.error, UnicodeError, SystemError):
                fourcc = cv2.VideoWriter.fourcc(*codec)
                writer = cv2.VideoWriter(str(self._part), _backend(), fourcc, rate, (width, height))
                if writer.isOpened():
                    self._writer = writer
                    break
        if self._writer is None:
            raise SinkError(
                f"{self._target}: this OpenCV cannot write such a video of {width}x{height} pixels.",
                "Give a name that ends in .avi, or a folder for pictures.",
            )
        for _, drawing in self._first:
            self._append(drawing)
        self._first.clear()

    def _append(self, drawing: Image) -> None:
        assert self._writer is not None
        self._writer.write(drawing)
        self._written += 1
        if self._written % _CHECK_DISK_EVERY == 0:
            self._check_disk()

    def _check_disk(self) -> None:
        try:
            free = shutil.disk_usage(self._part.parent).free
        except OSError:
            return
        if free < _RESERVE:
            # Before it is full: the frames until here still become a whole video.
            raise SinkError(
                f"{self._target}: no space left on the disk; the video ends after {self._written} frames.",
                "Free space, or write to another place.",
            )

    def _check(self) -> None:
        reader = cv2.VideoCapture(str(self._part), _backend())
        try:
            found = reader.get(cv2.CAP_PROP_FRAME_COUNT) if reader.isOpened() else 0
        finally:
            reader.release()
        # Matroska stores no count; what OpenCV derives from the duration may be a frame less.
        if found < self._written - 1:
            raise SinkError(
                f"{self._target}: the video could not be written whole (a full disk, or a limit on a file's size).",
                "Free space, or write to another place.",
            )


def _rate(times: list[_Time]) -> float:
    """Frames a second of a video whose first frames have these times."""
    first = times[0]
    same = [taken for taken in times if taken.source == first.source]
    last, count = same[-1], len(same) - 1
    if count == 0:
        return _PICTURES_PER_SECOND if first.pts is None else _RATE_WITHOUT_TIMES
    if first.pts is not None and last.pts is not None:
        seconds, most = last.pts - first.pts, 1000.0
    else:  # a camera: played back, it takes as long as it took
        seconds, most = last.captured - first.captured, _MAX_LIVE_RATE
    return min(most, max(1.0, count / seconds)) if seconds > 0 else _RATE_WITHOUT_TIMES


def _backend() -> int:
    """FFmpeg where this OpenCV has it: the backend for numbered pictures would take a `%` in a name for its pattern."""
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getWriterBackends()
    return cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY
