"""A folder that is watched: the pictures in it, then each new one as soon as it is completely written."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.base import Failure, Frame
from orilla_runtime.sources.images import ImagesSource
from orilla_runtime.sources.listing import is_picture_name, natural_key
from orilla_runtime.sources.options import SourceOptions

_LOOK_SECONDS = 0.2
_STILL_SECONDS = 0.5  # How long a file must not change before it counts as written.
_HALF_SECONDS = 10.0  # How long one without its end must not change before that is its own fault.
_Identity = tuple[int, int, int, int]


class WatchedFolder:
    """The pictures of one folder, as they come, without end; implements `Source`.

    A file is given once its size and time have stood still for half a second; one that then has no end yet is looked at
    again when it has changed, and is a failure when it has not for ten seconds. So nothing is ever given by half.
    Writers that rename a finished file into the folder are served as well. A name is given again only when the file
    behind it is a new one. Subfolders and hidden files are left out. Looking costs one listing every 0.2 s; memory
    grows with the number of files in the folder, not with those that went through it.
    """

    live = True
    keeps_all = True
    total = None
    dropped = 0

    def __init__(self, folder: str | Path, options: SourceOptions | None = None) -> None:
        self._folder = Path(folder)
        self._options = options or SourceOptions()
        self._done: dict[str, _Identity] = {}
        self._coming: dict[str, tuple[_Identity, float]] = {}
        self._half: dict[str, _Identity] = {}
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """The folder, as it is written: `watch:FOLDER`."""
        return f"watch:{self._folder}"

    def __iter__(self) -> Iterator[Frame | Failure]:
        for index, item in enumerate(self._items()):
            yield replace(item, index=index)

    def close(self) -> None:
        """End the iteration, also one that waits for the next file."""
        self._closed.set()

    def _items(self) -> Iterator[Frame | Failure]:
        listed = True
        while not self._closed.is_set():
            try:
                ready = self._look()
            except OSError as error:
                if listed:
                    yield Failure(self.name, 0, f"{self.name} cannot be listed: {error.strerror or error}.", "lost")
                listed, ready = False, []
            else:
                listed = True
            for name in ready:
                if self._closed.is_set():
                    return
                item = self._read(name)
                if item is not None:
                    yield item
            self._closed.wait(_LOOK_SECONDS)

    def _look(self) -> list[str]:
        """The names that have stood still and were not given before, in natural order."""
        now = time.monotonic()
        files = self._files()
        self._done = {name: identity for name, identity in self._done.items() if name in files}
        self._half = {name: identity for name, identity in self._half.items() if name in files}
        coming = {}
        for name, identity in files.items():
            if self._done.get(name) == identity:
                continue
            before, since = self._coming.get(name, (None, now))
            # What was there before anybody watched need not stand still under our eyes.
            old = before is None and time.time_ns() - identity[-1] > _HALF_SECONDS * 1e9
            coming[name] = (identity, -math.inf if old else since if before == identity else now)
        self._coming = coming
        return sorted(
            (name for name, (identity, since) in coming.items() if self._is_due(name, identity, now - since)),
            key=natural_key,
        )

    def _is_due(self, name: str, identity: _Identity, still: float) -> bool:
        return still >= (_HALF_SECONDS if self._half.get(name) == identity else _STILL_SECONDS)

    def _read(self, name: str) -> Frame | Failure | None:
        """The picture; None for one that may still be being written."""
        identity, since = self._coming[name]
        path = str(self._folder / name)
        (item,) = ImagesSource([path], name=path, max_pixels=self._options.max_pixels)
        if isinstance(item, Failure) and time.monotonic() - since < _HALF_SECONDS:
            self._half[name] = identity
            return None
        self._done[name] = identity
        return item

    def _files(self) -> dict[str, _Identity]:
        found = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                try:
                    if is_picture_name(entry.name) and entry.is_file():
                        status = entry.stat()
                        found[entry.name] = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
                except OSError:  # Taken away meanwhile
                    continue
        return found


def watched_folder(text: str, options: SourceOptions) -> WatchedFolder:
    """The folder behind `watch:`.

    Raises:
        SourceError: it is no folder.
    """
    if not Path(text).is_dir():
        raise SourceError(f"{text}: there is no such folder to watch.", "Make it first; files may come later.")
    return WatchedFolder(text, options)
