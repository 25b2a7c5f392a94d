"""From what a person writes to a source: a path, a pattern, a camera's number, or the name of a plug-in.

A new kind of source is one function and one line in `_KINDS`; outside this tree, an entry point in the group
`orilla.sources`, which is used when the source is written as `NAME:REST`.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeGuard

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.sources.address import is_address, masked
from orilla_runtime.sources.base import Source
from orilla_runtime.sources.camera import CameraSource, camera_index
from orilla_runtime.sources.container import is_video
from orilla_runtime.sources.images import ImagesSource, folder_source, glob_source
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.picture_header import sniff_picture
from orilla_runtime.sources.video import VIDEO_SUFFIXES, VideoSource

Opener = Callable[[str, SourceOptions], Source | None]
"""Opens what it recognises; None leaves it to the next kind. A plug-in gets the text behind `NAME:`."""

GROUP = "orilla.sources"


def open_source(spec: int | str | Path | Source, options: SourceOptions | None = None) -> Source:
    """A source for a picture, a video, a folder, a glob or a camera; a `Source` is given back as it is.

    A camera is a number (`0`) or a device (`/dev/video0`, `/dev/v4l/by-id/…`).
    A file's content decides whether it is a picture or a video, before its name does.

    Raises:
        SourceError: there is nothing by that name, or nothing in it; a camera that does not open.
        UsageError: not something that can be a source.
    """
    if isinstance(spec, bool) or not isinstance(spec, int | str | Path):
        if _is_source(spec):
            return spec
        raise UsageError(f"A source cannot be {spec!r}.", "Give a path, a pattern, a camera's number or a Source.")
    # A Path is never a camera's number.
    text = str(Path.cwd() / spec) if isinstance(spec, Path) and str(spec).isdigit() else str(spec)
    if not text.strip():
        raise UsageError("A source cannot be empty.", "Give a path, a pattern or a camera's number.")
    chosen = options or SourceOptions()
    for kind in _KINDS:
        source = kind(text, chosen)
        if source is not None:
            return source
    raise SourceError(f"{masked(text)}: no such file or folder.", "Check the path; a camera is given by its number.")


def _is_source(spec: object) -> TypeGuard[Source]:
    return all(hasattr(spec, name) for name in ("name", "live", "__iter__", "close"))


def _camera(text: str, options: SourceOptions) -> Source | None:
    index = camera_index(text)
    return None if index is None else CameraSource(index, options, name=_camera_name(text))


def _camera_name(text: str) -> str:
    return f"camera {int(text)}" if text.strip().lstrip("-").isdigit() else text


def _plugin(text: str, options: SourceOptions) -> Source | None:
    name, colon, rest = text.partition(":")
    if not colon or re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]+", name) is None:
        return None
    for point in entry_points(group=GROUP, name=name):
        try:
            opener: Opener = point.load()
        except Exception as error:  # A plug-in may raise anything.
            raise SourceError(f"The source plug-in {name!r} ({point.value}) cannot be loaded: {error}.") from error
        return opener(rest, options)
    return None


def _address(text: str, _: SourceOptions) -> Source | None:
    if not is_address(text):
        return None
    raise SourceError(
        f"{masked(text)}: streams are not supported in this version of Orilla.",
        "Give a file, a folder, a pattern or a camera's number.",
    )


def _folder(text: str, options: SourceOptions) -> Source | None:
    path = Path(text)
    return folder_source(path, max_pixels=options.max_pixels) if _holds(path, Path.is_dir) else None


def _file(text: str, options: SourceOptions) -> Source | None:
    path = Path(text)
    if not _holds(path, Path.exists):
        return None
    if not path.is_file():
        raise SourceError(f"{path} is a pipe or a device, not a file.", "Give a file, a folder or a camera's number.")
    if _is_video_file(path):
        return VideoSource(path, max_pixels=options.max_pixels)
    return ImagesSource([path], name=text, max_pixels=options.max_pixels)


def _is_video_file(path: Path) -> bool:
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return suffix in VIDEO_SUFFIXES  # Whichever it is, reading it yields the failure.
    if sniff_picture(start) is not None:
        # Motion JPEG without a container is one JPEG after the other.
        return suffix in {".mjpg", ".mjpeg"}
    return suffix in VIDEO_SUFFIXES or is_video(start)


def _glob(text: str, options: SourceOptions) -> Source | None:
    return glob_source(text, max_pixels=options.max_pixels) if glob.has_magic(text) else None


def _holds(path: Path, question: Callable[[Path], bool]) -> bool:
    try:
        return question(path)
    except (OSError, ValueError):  # A name that is too long, or with a NUL
        return False


# In this order: a file whose name holds `[` or `:` is a file before it is a pattern or a plug-in's.
_KINDS: tuple[Opener, ...] = (_camera, _folder, _file, _plugin, _address, _glob)
