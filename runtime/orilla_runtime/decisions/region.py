"""The part of every picture that the model looks at."""

from __future__ import annotations

import re
from typing import Any

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.pipeline.plan import PictureModel, Replica, Replicable
from orilla_runtime.records import dataclass
from orilla_runtime.sources.base import Image
from orilla_runtime.timing import Timing

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle: left, top, width and height, in pixels, or with `relative` as shares of the picture, 0 to 1.

    Raises:
        UsageError: an empty rectangle, or shares that leave the picture.
    """

    left: float
    top: float
    width: float
    height: float
    relative: bool = False

    def __post_init__(self) -> None:
        fits = self.left >= 0 and self.top >= 0 and self.width > 0 and self.height > 0
        if fits and self.relative:
            fits = self.left + self.width <= 1 + 1e-9 and self.top + self.height <= 1 + 1e-9
        if not fits:
            raise UsageError(f"The region {self} is empty or outside of the picture.", "Left, top, width, height.")

    @classmethod
    def parse(cls, text: str) -> Region:
        """`320,180,640,360` in pixels, or `25%,25%,50%,50%` of the picture. Raises UsageError."""
        found = [_NUMBER.fullmatch(part) for part in text.split(",")]
        units = {match.group(2) for match in found if match}
        if len(found) != 4 or not all(found) or len(units) != 1:
            raise UsageError(
                f"{text!r} is no region.",
                "Give left, top, width and height: 320,180,640,360 in pixels or 25%,25%,50%,50% of the picture.",
            )
        left, top, width, height = (float(match.group(1)) for match in found if match)
        if units == {"%"}:
            return cls(left / 100, top / 100, width / 100, height / 100, relative=True)
        return cls(left, top, width, height)

    def __str__(self) -> str:
        unit, factor = ("%", 100) if self.relative else ("", 1)
        return ",".join(f"{value * factor:g}{unit}" for value in (self.left, self.top, self.width, self.height))

    def of(self, image: Image) -> Image:
        """The part of `image`, without a copy.

        Raises:
            SourceError: the picture does not reach so far.
        """
        rows, columns = image.shape[:2]
        across, down = (columns, rows) if self.relative else (1, 1)
        left, top = round(self.left * across), round(self.top * down)
        right, bottom = round((self.left + self.width) * across), round((self.top + self.height) * down)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        if right > columns or bottom > rows:
            raise SourceError(
                f"The region {self} lies outside of a picture of {columns}x{rows} pixels.",
                "Give it in per cent where pictures differ in size.",
            )
        return image[top:bottom, left:right]


class RegionModel:
    """A model that looks at a region of each picture alone; the frame that a record holds stays whole."""

    def __init__(self, model: PictureModel, region: Region) -> None:
        self._model = model
        self.region = region

    @property
    def bundle_id(self) -> str | None:
        """As the model's."""
        return self._model.bundle_id

    @property
    def artifact(self) -> str:
        """As the model's."""
        return self._model.artifact

    @property
    def engine(self) -> str:
        """As the model's."""
        return self._model.engine

    @property
    def cpu_threads(self) -> int | None:
        """As the model's; None where it cannot be replicated."""
        return self._model.cpu_threads if isinstance(self._model, Replicable) else None

    def process(self, image: Image) -> tuple[Any, Timing]:
        """The result for the region. Raises SourceError where the picture does not reach so far."""
        return self._model.process(self.region.of(image))

    def replica(self, threads: int = 1) -> Replica:
        """The same for another thread."""
        assert isinstance(self._model, Replicable)
        return _RegionReplica(self._model.replica(threads), self.region)


class _RegionReplica:
    def __init__(self, replica: Replica, region: Region) -> None:
        self._replica = replica
        self._region = region

    def process(self, image: Image) -> tuple[Any, Timing]:
        return self._replica.process(self._region.of(image))

    def close(self) -> None:
        self._replica.close()
