"""Annotated pictures in a folder, or one annotated video: `--save`."""

from __future__ import annotations

from pathlib import Path

import cv2

from orilla_runtime.errors import SinkError
from orilla_runtime.files import replaced
from orilla_runtime.sinks.base import Counts, Record
from orilla_runtime.sinks.drawing import draw
from orilla_runtime.sinks.naming import stem
from orilla_runtime.sinks.video import VIDEO_CODECS, AnnotatedVideo

_NOT_FOLDERS = {
    ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".webm", ".wmv", ".mpg", ".mpeg", ".m4v",
}  # fmt: skip
_QUALITY = 92


class AnnotatedSink:
    """Every frame with its best classes drawn under it.

    A target that ends in .mp4, .mov, .avi or .mkv is one video; anything else is a folder, made if need be, of JPEGs
    named `SOURCE-NUMBER.jpg`. The number counts every record, so names never collide within a run; a later run
    replaces the pictures of the same name. Frames are not modified. Failures leave no picture.

    Raises:
        SinkError: the target cannot be made or, in `write` and `finish`, cannot be written.
    """

    def __init__(self, target: Path) -> None:
        suffix = target.suffix.lower()
        if suffix in _NOT_FOLDERS and not target.is_dir():
            raise SinkError(
                f"{target} is neither a folder nor a kind of video that is written.",
                f"Give a folder for pictures, or a name that ends in {', '.join(VIDEO_CODECS)}.",
            )
        self._video = suffix in VIDEO_CODECS and not target.is_dir()
        self._sink = AnnotatedVideo(target) if self._video else _AnnotatedFolder(target)

    def write(self, record: Record) -> None:
        """Draw and write one frame."""
        self._sink.write(record)

    def finish(self, counts: Counts) -> None:
        """Put the video in its place."""
        self._sink.finish(counts)

    def close(self) -> None:
        """Drop a video that was not finished."""
        self._sink.close()


class _AnnotatedFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = -1
        try:
            folder.mkdir(exist_ok=True)
        except FileNotFoundError as error:
            raise SinkError(f"{folder}: there is no folder {folder.parent}.", "Make the folder first.") from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SinkError(f"{folder} cannot be made: {reason}.", "Give another folder.") from error

    def write(self, record: Record) -> None:
        self._number += 1
        if record.frame is None:
            return
        path = self._folder / f"{stem(record.frame.source)}-{self._number:06d}.jpg"
        done, jpeg = cv2.imencode(".jpg", draw(record.frame.image, record.result), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not done:
            raise SinkError(f"{path}: OpenCV cannot write a JPEG of this size.", "Use --jsonl in its place.")
        with replaced(path) as part:
            part.write_bytes(jpeg.tobytes())

    def finish(self, counts: Counts) -> None:
        pass

    def close(self) -> None:
        pass
