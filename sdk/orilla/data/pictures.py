"""Labelled pictures as tensors, read through the one Preprocess: resized pictures wait on disk, never all in memory."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from orilla.data.rows import Rows
from orilla_runtime.engines.selection import usable_cpus
from orilla_runtime.errors import DataError, SourceError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.sources.picture import read_picture

CACHE_BYTES = 2 * 2**30
_CHUNK = 64
_NAMED = 3

Tensors = NDArray[np.uint8]


class Decoder:
    """Reads pictures as uint8 tensors, on every core; each thread has its own Preprocessor."""

    def __init__(self, preprocess: Preprocess) -> None:
        self._preprocess = preprocess
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(usable_cpus(), thread_name_prefix="orilla-decode")

    def read(self, paths: Sequence[Path]) -> list[Tensors | SourceError]:
        """The tensor [height, width, depth] of each picture, or why it could not be read."""
        return list(self._pool.map(self._one, paths))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _one(self, path: Path) -> Tensors | SourceError:
        preprocessor = getattr(self._threads, "preprocessor", None)
        if preprocessor is None:
            preprocessor = self._threads.preprocessor = Preprocessor(self._preprocess)
        try:
            tensor: Tensors = preprocessor(read_picture(path))[0].copy()
        except SourceError as error:
            return error
        return tensor


class Pictures:
    """The pictures of a data set as uint8 tensors, by their place in it.

    `prepare` reads every picture once: it finds the unreadable ones before the first step of training and keeps the
    resized ones in a temporary file of at most `cache_bytes`, and of at most half of what is free on its disk. Pictures
    beyond that are read again each time. The file is gone when the block ends, or the process is killed.
    """

    def __init__(self, images: LabelledImages, preprocess: Preprocess, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.images = images
        self.shape = preprocess.shape[1:]
        self._decoder = Decoder(preprocess)
        self._folder = Path(tempfile.mkdtemp(prefix="orilla-"))
        limit = min(cache_bytes, shutil.disk_usage(self._folder).free // 2) // int(np.prod(self.shape))
        self._cached = Rows(self._folder / "pictures", self.shape, np.uint8, limit)
        self._cached.hide()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary file and end the threads."""
        self._decoder.close()
        self._cached.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def cached(self) -> int:
        """How many pictures wait on disk."""
        return len(self._cached)

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every picture once.

        Raises:
            DataError: pictures that cannot be read; the first three are named.
        """
        failures: list[SourceError] = []
        for start in range(0, len(self), _CHUNK):
            tensors = self._decoder.read(self._paths(range(start, min(start + _CHUNK, len(self)))))
            failures += [tensor for tensor in tensors if isinstance(tensor, SourceError)]
            if not failures:
                # The first that finds no room is followed by none: what is kept are the first places.
                all(self._cached.append(tensor) for tensor in tensors if not isinstance(tensor, SourceError))
            if progress:
                progress(min(start + _CHUNK, len(self)), len(self))
        if failures:
            raise _unreadable(failures, len(self), "Repair or remove these files; nothing was trained.")

    def take(self, places: Sequence[int] | NDArray[np.int64]) -> Tensors:
        """The tensors of some pictures, uint8 [n, height, width, depth], in the order of `places`.

        Raises:
            DataError: a picture has become unreadable.
        """
        places = np.asarray(places, np.int64)
        waiting = places < len(self._cached)
        if waiting.all():
            return self._cached.read(places)
        batch = np.empty((len(places), *self.shape), np.uint8)
        batch[waiting] = self._cached.read(places[waiting])
        read = self._decoder.read(self._paths(places[~waiting]))
        for row, tensor in zip(np.flatnonzero(~waiting), read, strict=True):
            if isinstance(tensor, SourceError):
                raise _unreadable([tensor], len(self), "It could be read before: bring it back as it was.")
            batch[row] = tensor
        return batch

    def batches(self, places: NDArray[np.int64], size: int) -> Iterator[Tensors]:
        """The tensors of `places` in batches of `size`; the last may be smaller."""
        for start in range(0, len(places), size):
            yield self.take(places[start : start + size])

    def _paths(self, places: Sequence[int] | NDArray[np.int64] | range) -> list[Path]:
        return [self.images.full_path(int(place)) for place in places]


def _unreadable(failures: Sequence[SourceError], total: int, remedy: str) -> DataError:
    named = " ".join(failure.message for failure in failures[:_NAMED])
    more = f" … and {len(failures) - _NAMED} more." if len(failures) > _NAMED else ""
    count = f"{len(failures)} of {total} pictures cannot be read: "
    return DataError(f"{count}{named}{more}", remedy)
