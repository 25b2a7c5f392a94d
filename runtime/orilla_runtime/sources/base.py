"""The seam between cameras, files and the pipeline.

A source yields frames and failures, and always ends or says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.records import dataclass, field

Image = NDArray[np.uint8]
"""A picture: uint8, BGR, height x width x 3, contiguous."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture with its place and time.

    `image` is read-only uint8 BGR HxWx3. `index` counts from 0 within its source, failures included. `source` is the
    file's path or the camera's name, without credentials. `pts_seconds` is the time in the video, None for pictures.
    `captured_ns` is `time.monotonic_ns()` when the frame was there; `captured_at` the wall clock then, in UTC.
    `decode_ns` is what reading and decoding cost, without waiting for a camera. `reduction` above 1: the picture was
    decoded at a half, a quarter or an eighth of its size on each side, because nobody asked for more.
    """

    image: Image
    index: int
    source: str
    pts_seconds: float | None
    captured_ns: int
    captured_at: datetime
    decode_ns: int = 0
    reduction: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be read, or a lost connection; `source` and `error` hold no credentials.

    `kind`: `unreadable` (a file), `damaged` (a picture of a stream), `lost` (a connection), `frozen` or `covered` (a
    camera that sends pictures and shows nothing). `captured_at`: the wall clock when it was noticed, in UTC.
    """

    source: str
    index: int
    error: str
    kind: str = "unreadable"
    captured_at: datetime = field(default_factory=partial(datetime.now, UTC))

    def __post_init__(self) -> None:
        # Here, so that no source can forget it; imported here, since a program that meets no failure starts sooner.
        from orilla_runtime.sources.address import masked

        object.__setattr__(self, "source", masked(self.source))
        object.__setattr__(self, "error", masked(self.error))


Shrink = Callable[[int, int], int]
"""From the rows and columns of a picture to the part of its size that is enough: 1, 2, 4 or 8."""


class Pending(Protocol):
    """A picture that is known and not decoded yet, so that several threads can decode at once."""

    def decode(self, shrink: Shrink | None = None) -> Frame | Failure:
        """Read and decode it, in any thread; with `shrink` at a part of its size, where its format can do that."""
        ...


class Source(Protocol):
    """Pictures in their order. Iterate once; `close` may be called at any time, from any thread, and twice.

    A source whose pictures can be decoded in any order may also have `pending() -> Iterator[Pending]`: what iterating
    would give, not decoded yet. A live one whose frames must not be dropped behind its back, because it does not end
    and can wait (a folder that is watched), has `keeps_all = True`. One that keeps its newest picture itself, and
    decodes only what is asked for, has `on_demand = True`. Other live ones are read as fast as they give.
    """

    @property
    def name(self) -> str:
        """What a person calls it: a path, a pattern, `camera 0`; without credentials."""
        ...

    @property
    def live(self) -> bool:
        """True for a camera: frames that nobody took are dropped, and the source does not end by itself."""
        ...

    @property
    def total(self) -> int | None:
        """How many frames and failures are to come, for a progress bar; None where nobody can know."""
        ...

    @property
    def dropped(self) -> int:
        """Frames that were captured and never taken; 0 for files."""
        ...

    def __iter__(self) -> Iterator[Frame | Failure]: ...
    def close(self) -> None: ...
