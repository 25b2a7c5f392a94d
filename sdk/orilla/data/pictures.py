"""Labelled pictures as tensors, read through the one Preprocess: resized pictures wait on disk, never all in memory."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
    beyond that are read again each time. The file is gone when the block ends.
    """

    def __init__(self, images: LabelledImages, preprocess: Preprocess, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.images = images
        self.shape = preprocess.shape[1:]
        self._decoder = Decoder(preprocess)
        self._folder = Path(tempfile.mkdtemp(prefix="orilla-"))
        self._cached: Tensors = np.empty((0, *self.shape), np.uint8)
        self._limit = min(cache_bytes, shutil.disk_usage(self._folder).free // 2) // int(np.prod(self.shape))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary file and end the threads."""
        self._decoder.close()
        self._cached = np.empty((0, *self.shape), np.uint8)
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
        path, kept, full = self._folder / "pictures", 0, self._limit < 1
        # Written with write(), mapped afterwards: writing through a map kills the process where the disk is full.
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(self), _CHUNK):
                tensors = self._decoder.read(self._paths(range(start, min(start + _CHUNK, len(self)))))
                failures += [tensor for tensor in tensors if isinstance(tensor, SourceError)]
                if not failures and not full:
                    kept, full = self._keep(file, tensors, kept)
                if progress:
                    progress(min(start + _CHUNK, len(self)), len(self))
        if failures:
            raise _unreadable(failures, len(self))
        if kept:
            self._cached = np.memmap(path, np.uint8, "r", shape=(kept, *self.shape))

    def _keep(self, file: Any, tensors: Sequence[Any], kept: int) -> tuple[int, bool]:
        """Append tensors while there is room; gives how many are kept now, and whether that was all."""
        for tensor in tensors:
            if kept >= self._limit:
                return kept, True
            try:
                if file.write(tensor.tobytes()) != tensor.nbytes:
                    return kept, True
            except OSError:
                return kept, True
            kept += 1
        return kept, False

    def take(self, places: Sequence[int] | NDArray[np.int64]) -> Tensors:
        """The tensors of some pictures, uint8 [n, height, width, depth], in the order of `places`.

        Raises:
            DataError: a picture has become unreadable.
        """
        places = np.asarray(places, np.int64)
        batch = np.empty((len(places), *self.shape), np.uint8)
        waiting = places < len(self._cached)
        batch[waiting] = self._cached[places[waiting]]
        read = self._decoder.read(self._paths(places[~waiting])) if not waiting.all() else []
        for row, tensor in zip(np.flatnonzero(~waiting), read, strict=True):
            if isinstance(tensor, SourceError):
                raise _unreadable([tensor], len(self))
            batch[row] = tensor
        return batch

    def batches(self, places: NDArray[np.int64], size: int) -> Iterator[Tensors]:
        """The tensors of `places` in batches of `size`; the last may be smaller."""
        for start in range(0, len(places), size):
            yield self.take(places[start : start + size])

    def _paths(self, places: Sequence[int] | NDArray[np.int64] | range) -> list[Path]:
        return [self.images.full_path(int(place)) for place in places]


def _unreadable(failures: Sequence[SourceError], total: int) -> DataError:
    named = " ".join(failure.message for failure in failures[:_NAMED])
    more = f" … and {len(failures) - _NAMED} more." if len(failures) > _NAMED else ""
    count = f"{len(failures)} of {total} pictures cannot be read: "
    return DataError(f"{count}{named}{more}", "Repair or remove these files; nothing was trained.")
