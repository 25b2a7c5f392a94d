"""From what a person writes to a source: a path, a pattern, a camera's number, or the name of a plug-in.

A new kind of source is one function and one line in `_KINDS`; outside this tree, an entry point in the group
`orilla.sources`, which is used when the source is written as `NAME:REST`. Each kind is imported when it is met: a run
on one picture should not wait for what reads cameras.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.sources.address import is_address, masked
from orilla_runtime.sources.base import Source
from orilla_runtime.sources.container import VIDEO_SUFFIXES, is_video
from orilla_runtime.sources.devices import is_camera
from orilla_runtime.sources.images import ImagesSource, folder_source, glob_source
from orilla_runtime.sources.options import SourceOptions
from orilla_runtime.sources.picture_header import sniff_picture

Opener = Callable[[str, SourceOptions], Source | None]
"""Opens what it recognises; None leaves it to the next kind. A plug-in gets the text behind `NAME:`."""

GROUP = "orilla.sources"


def open_source(spec: int | str | Path | Source, options: SourceOptions | None = None) -> Source:
    """A source for whatever `spec` names; a `Source` is given back as it is.

    A camera is a number (`0`) or a device (`/dev/video0`, `/dev/v4l/by-id/…`); a stream is an address (`rtsp://…`,
    `http://…`); `-` is standard input, `watch:FOLDER` a folder to which files are added, `pattern:1280x720@30` a test
    pattern, `env:NAME` what that environment variable holds. All else is a path or a pattern of paths; a file's content
    decides whether it is a picture or a video, before its name does. Cameras and streams connect when they are
    iterated, and say there what is wrong with them.

    Raises:
        SourceError: there is nothing by that name, or nothing in it; an address that cannot be read.
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
    if not is_camera(text):
        return None
    from orilla_runtime.sources.camera import camera_source

    return camera_source(text, options)


def _stdin(text: str, options: SourceOptions) -> Source | None:
    if text != "-":
        return None
    from orilla_runtime.sources.stdin import stdin_source

    return stdin_source(options)


def _pattern(text: str, options: SourceOptions) -> Source | None:
    kind, colon, rest = text.partition(":")
    if kind != "pattern" or not colon:
        return None
    from orilla_runtime.sources.pattern import pattern_source

    return pattern_source(rest, options)


def _watched(text: str, options: SourceOptions) -> Source | None:
    kind, colon, rest = text.partition(":")
    if kind != "watch" or not colon:
        return None
    from orilla_runtime.sources.watched import watched_folder

    return watched_folder(rest, options)


def _environment(text: str, options: SourceOptions) -> Source | None:
    """`env:NAME`: what the variable NAME holds, so that a password is not among a process's arguments."""
    kind, colon, name = text.partition(":")
    if kind != "env" or not colon:
        return None
    value = os.environ.get(name, "")
    if not value or value.startswith("env:"):
        raise SourceError(f"The environment variable {name} holds no source.", "Set it to an address or a path.")
    return open_source(value, options)


def _plugin(text: str, options: SourceOptions) -> Source | None:
    name, colon, rest = text.partition(":")
    if not colon or re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]+", name) is None:
        return None
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        try:
            opener: Opener = point.load()
        except Exception as error:  # A plug-in may raise anything.
            raise SourceError(f"The source plug-in {name!r} ({point.value}) cannot be loaded: {error}.") from error
        return opener(rest, options)
    return None


def _address(text: str, options: SourceOptions) -> Source | None:
    if not is_address(text):
        return None
    from orilla_runtime.sources.stream import stream_source

    return stream_source(text, options)


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
        from orilla_runtime.sources.video import VideoSource

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
_KINDS: tuple[Opener, ...] = (
    _camera, _stdin, _folder, _file, _pattern, _watched, _environment, _plugin, _address, _glob,
)  # fmt: skip
