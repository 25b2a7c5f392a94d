"""Looks at every picture of a set once, on every core, and keeps what is worth knowing: no pixels, 320 bytes each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orilla.data.checking.fingerprint import SKETCH, Fingerprint, fingerprint
from orilla.data.checking.traits import Trait, traits_of
from orilla_runtime.engines.selection import usable_cpus
from orilla_runtime.errors import SourceError
from orilla_runtime.labelled import LabelledImages
from orilla_runtime.sources.picture import decode_picture, read_file

Progress = Callable[[int, int], None]
_CHUNK = 64


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was seen, by the pictures' places in the set; rows of unreadable ones are zeros.

    sizes: int32 [n, 2], width and height in pixels as shown (EXIF orientation applied).
    traits: uint16 [n], sums of `Trait`.
    formats: [n], `JPEG`, `PNG`, …; empty for unreadable ones.
    digests: uint64 [n, 2]; hashes: uint64 [n]; sketches: uint8 [n, 256], as `Fingerprint` has them.
    unreadable: place and reason of each picture that cannot be read.
    """

    sizes: NDArray[np.int32]
    traits: NDArray[np.uint16]
    formats: tuple[str, ...]
    digests: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    sketches: NDArray[np.uint8]
    unreadable: dict[int, str]

    @property
    def readable(self) -> NDArray[np.int64]:
        """The places of the pictures that can be read, ascending."""
        return np.flatnonzero(self.sizes[:, 0])

    def having(self, trait: Trait) -> NDArray[np.int64]:
        """The places of the pictures with a trait, ascending."""
        return np.flatnonzero(self.traits & np.uint16(trait))


@dataclass(frozen=True, slots=True)
class _Seen:
    width: int
    height: int
    format: str
    traits: Trait
    mark: Fingerprint


def survey(images: LabelledImages, progress: Progress | None = None) -> Survey:
    """Decode every picture once. What cannot be read is noted, never raised.

    `progress` is called with (pictures done, all of them), in this thread.
    """
    count = len(images)
    taken = Survey(
        np.zeros((count, 2), np.int32),
        np.zeros(count, np.uint16),
        (),
        np.zeros((count, 2), np.uint64),
        np.zeros(count, np.uint64),
        np.zeros((count, SKETCH * SKETCH), np.uint8),
        {},
    )
    formats: list[str] = []
    with ThreadPoolExecutor(usable_cpus(), thread_name_prefix="orilla-survey") as pool:
        for start in range(0, count, _CHUNK):
            places = range(start, min(start + _CHUNK, count))
            for place, seen in zip(places, pool.map(_look, map(images.full_path, places)), strict=True):
                formats.append("" if isinstance(seen, str) else seen.format)
                _note(taken, place, seen)
            if progress:
                progress(places.stop, count)
    return Survey(
        taken.sizes, taken.traits, tuple(formats), taken.digests, taken.hashes, taken.sketches, taken.unreadable
    )


def _look(path: Path) -> _Seen | str:
    try:
        data = read_file(path)
        picture = decode_picture(data, str(path))
    except SourceError as error:
        return error.message
    height, width = picture.shape[:2]
    kind, traits = traits_of(data, path, picture)
    return _Seen(width, height, kind, traits, fingerprint(picture))


def _note(taken: Survey, place: int, seen: _Seen | str) -> None:
    if isinstance(seen, str):
        taken.unreadable[place] = seen
        return
    taken.sizes[place] = seen.width, seen.height
    taken.traits[place] = seen.traits
    taken.digests[place] = seen.mark.digest
    taken.hashes[place] = seen.mark.hash
    taken.sketches[place] = seen.mark.sketch
