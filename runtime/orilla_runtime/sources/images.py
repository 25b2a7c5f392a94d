"""Picture files: one, a folder's or a glob's."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orilla_runtime.errors import SourceError
from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Failure, Frame, Pending, Shrink
from orilla_runtime.sources.container import VIDEO_SUFFIXES
from orilla_runtime.sources.listing import list_pictures, natural_key
from orilla_runtime.sources.picture import MAX_PIXELS, decode_reduced, read_file


class ImagesSource:
    """Picture files in the order given; implements `Source`. One that cannot be read is a failure, the rest go on."""

    def __init__(self, paths: Sequence[str | Path], *, name: str, max_pixels: int = MAX_PIXELS) -> None:
        self._paths = tuple(paths)
        self._name = name
        self._max_pixels = max_pixels
        self._closed = False

    @property
    def name(self) -> str:
        """The file, the folder or the pattern."""
        return self._name

    @property
    def live(self) -> bool:
        """False: every picture is read."""
        return False

    @property
    def total(self) -> int | None:
        """The number of files."""
        return len(self._paths)

    @property
    def dropped(self) -> int:
        """0: every picture is read."""
        return 0

    def __iter__(self) -> Iterator[Frame | Failure]:
        for picture in self.pending():
            yield picture.decode()

    def pending(self) -> Iterator[Pending]:
        """The pictures, to be decoded in any thread."""
        for index, path in enumerate(self._paths):
            if self._closed:
                return
            yield PictureFile(str(path), index, self._max_pixels)

    def close(self) -> None:
        """End the iteration before the next file."""
        self._closed = True


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture file and its place; implements `Pending`."""

    path: str
    index: int
    max_pixels: int = MAX_PIXELS

    def decode(self, shrink: Shrink | None = None) -> Frame | Failure:
        """Read and decode the file; what is wrong with it is a failure."""
        started = time.perf_counter_ns()
        try:
            image, reduction = decode_reduced(read_file(self.path), self.path, shrink, max_pixels=self.max_pixels)
        except SourceError as error:
            return Failure(self.path, self.index, error.message)
        image.setflags(write=False)
        return Frame(
            image=image,
            index=self.index,
            source=self.path,
            pts_seconds=None,
            captured_ns=time.monotonic_ns(),
            captured_at=datetime.now(UTC),
            decode_ns=time.perf_counter_ns() - started,
            reduction=reduction,
        )


def folder_source(folder: Path, *, max_pixels: int = MAX_PIXELS) -> ImagesSource:
    """The pictures of a folder and its subfolders; hidden ones and other files are skipped.

    Raises:
        SourceError: the folder cannot be listed, or holds no picture.
    """
    try:
        paths = list(list_pictures(folder))
    except OSError as error:
        raise SourceError(f"The folder {folder} cannot be listed: {error.strerror or error}.") from error
    if not paths:
        videos = any(name.suffix.lower() in VIDEO_SUFFIXES for name in folder.iterdir())
        remedy = "Give its videos by their names." if videos else "Names must end in .jpg, .png or another picture's."
        raise SourceError(f"The folder {folder} holds no pictures.", remedy)
    return ImagesSource(paths, name=str(folder), max_pixels=max_pixels)


def glob_source(pattern: str, *, max_pixels: int = MAX_PIXELS) -> ImagesSource:
    """The files that match a pattern (`*`, `?`, `[ab]`, `**` for subfolders), whatever their suffix.

    Raises:
        SourceError: nothing matches.
    """
    matches = [path for path in glob.iglob(pattern, recursive=True) if not os.path.isdir(path)]  # noqa: PTH112, PTH207
    if not matches:
        raise SourceError(f"No file matches {pattern!r}.", "Check the pattern; hidden files are not matched.")
    matches.sort(key=lambda path: (natural_key(path), path))
    return ImagesSource(matches, name=pattern, max_pixels=max_pixels)
