"""What stands between a pixel and what a model's core takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Normalization:
    """`pixel * scale + offset` is what the core takes; pixels are 0..255."""

    scale: float
    offset: float

    @property
    def zero_point(self) -> int:
        """The pixel value that stands for 0, to half a level."""
        return round(-self.offset / self.scale) if self.scale > 0 else -1

    @property
    def mean(self) -> float:
        """The pixel value that stands for 0, exactly: the core takes `(pixel - mean) / std`."""
        return -self.offset / self.scale if self.offset else 0.0

    @property
    def std(self) -> float:
        """How many levels of a pixel are one of what the core takes."""
        return 1.0 / self.scale

    @property
    def folds(self) -> bool:
        """True where a quantized input's scale and zero point can say it."""
        return self.scale > 0 and 0 <= self.zero_point <= 255


IDENTITY = Normalization(1.0, 0.0)


def outside(io: str, normalization: Normalization) -> Normalization:
    """What is left to whoever feeds an artifact of a recipe with this `io`."""
    return normalization if io == "float" else IDENTITY
