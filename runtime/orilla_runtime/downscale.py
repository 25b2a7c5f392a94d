"""Shrinking a picture by area: each output pixel is the mean of the pixels that it covers.

OpenCV's INTER_AREA computes just that, pixel by pixel; its fast code is for a factor of exactly 2. Here the same means
come from whole rows. 720 rows become 224 in 16 groups, 45 rows to 14, and each group has the same weights: row 3 of all
groups is one strided view, `image[3::45]`, and one call of OpenCV blends it into the output rows that it touches.
Columns are done in the same way, on the few rows that are left, turned so that columns lie along memory.

Sizes without a common divisor have no groups to speak of; where rows then cost more than pixels, INTER_AREA does the
work. docs/decisions/0003-shrinking-by-area.md has what was measured, and what else was tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, gcd

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.records import dataclass

Image = NDArray[np.uint8]
Blend = tuple[tuple[int, float], ...]

# Costs in microseconds, of which only the ratios matter. They are constants, not measured on the spot: a picture must
# go the same way on every machine, however busy it is.
_CALL = 1.2
_BYTE_BLENDED = 0.00015
_PIXEL_TURNED = 0.0004
_PIXEL_TURNED_BACK = 0.001
_PIXEL_OF_INTER_AREA = 0.0033
_PIXEL_OF_WHOLE_FACTORS = 0.001
_PIXEL_OF_HALVING = 0.0003

_SHORTEST_LINE = 16
"""Turning lines of fewer pixels costs several times as much for each pixel."""

_BAND_BYTES = 1 << 18
"""The sums of one band of rows: they are read and written at each blend and must stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How `source` lines become `target` lines: in `groups` with equal weights, `period` lines to `phases` lines."""

    source: int
    target: int
    groups: int

    @classmethod
    def between(cls, source: int, target: int, shortest: int = 1) -> Axis:
        """As many groups as there can be, of at least `shortest` lines where the sizes allow it."""
        common = gcd(source, target)
        fitting = [groups for groups in range(1, common + 1) if common % groups == 0 and source // groups >= shortest]
        return cls(source, target, max(fitting, default=1))

    @property
    def period(self) -> int:
        return self.source // self.groups

    @property
    def phases(self) -> int:
        return self.target // self.groups

    @property
    def calls(self) -> int:
        """Blends and conversions for one group, at most: each of its inner borders cuts a line in two."""
        return self.period + 2 * self.phases - 1

    def blends(self) -> tuple[Blend, ...]:
        """For each phase its lines of the group, and the share of each when it is blended over those before it."""
        return tuple(_blend(phase, self.period, self.phases) for phase in range(self.phases))


def _blend(phase: int, period: int, phases: int) -> Blend:
    """Output line `phase` covers `[phase * period, (phase + 1) * period)`, in units of 1/`phases` of a source line."""
    low, high = phase * period, (phase + 1) * period
    blend, total = [], 0
    for line in range(low // phases, ceil(high / phases)):
        weight = min(high, (line + 1) * phases) - max(low, line * phases)
        total += weight
        blend.append((line, weight / total))
    return tuple(blend)


class AreaDownscaler:
    """Shrinks pictures of one size to another, both sides at most as large, with weights and buffers made once.

    Within one level of the exact mean of the covered pixels; an even picture stays even. Not thread-safe.
    """

    def __init__(self, source: tuple[int, int], size: tuple[int, int]) -> None:
        """`source`, `size`: height and width in pixels, 1 <= size <= source on each side."""
        rows, columns = Axis.between(source[0], size[0]), Axis.between(source[1], size[1], _SHORTEST_LINE)
        turned, plain = _cost_of_columns(columns, size[0]), _cost_of_pixels((size[0], source[1]), size)
        by_lines = _cost_of_rows(rows, source[1]) + min(turned, plain)
        whole = _cost_of_pixels(source, size)
        self._rows = _Rows(rows, source[1]) if by_lines < whole else None
        self._columns = _Columns(columns) if turned < plain else None

    def __call__(self, image: Image, out: Image) -> None:
        """Shrink `image` (uint8 BGR of the source size, any strides) into `out` (uint8 BGR, contiguous, the new size).

        The picture is only read. A band of it at a time, so that what lies between the steps stays in the cache.
        """
        if self._rows is None:
            _by_pixels(image, out)
            return
        if image.strides[0] < 0 or image.strides[1:] != (3, 1):
            image = np.ascontiguousarray(image)
        for top, lowered in self._rows.bands(image):
            band = out[top : top + len(lowered)]
            if self._columns is None:
                _by_pixels(lowered, band)
            else:
                self._columns.narrow(lowered, band)


class _Rows:
    """Fewer rows, all columns."""

    def __init__(self, axis: Axis, width: int) -> None:
        self._axis, self._width, self._blends = axis, width, axis.blends()
        self._groups = ceil(axis.groups / _bands(axis, width))
        self._sums = np.zeros((self._groups, width, 3), np.float32)
        self._lowered = np.empty((self._groups * axis.phases, width, 3), np.uint8)

    def bands(self, image: Image) -> Iterator[tuple[int, Image]]:
        """The index of the first row of each band, and the band in the one buffer that is used for all."""
        period, phases = self._axis.period, self._axis.phases
        for first in range(0, self._axis.groups, self._groups):
            last = min(self._axis.groups, first + self._groups)
            lowered = self._lowered[: (last - first) * phases]
            self._lower(image[first * period : last * period], lowered)
            yield first * phases, lowered

    def _lower(self, image: Image, out: Image) -> None:
        period, phases = self._axis.period, self._axis.phases
        sums = self._sums[: len(image) // period]
        for phase, blend in enumerate(self._blends):
            for row, share in blend:
                cv2.accumulateWeighted(image[row::period], sums, share)
            cv2.convertScaleAbs(sums, dst=out[phase::phases])


class _Columns:
    """Fewer columns, all rows."""

    def __init__(self, axis: Axis) -> None:
        self._axis, self._blends = axis, axis.blends()
        self._turned, self._narrowed = np.empty(0, np.uint8), np.empty(0, np.uint8)
        self._sums = np.zeros((1, 0), np.float32)

    def narrow(self, image: Image, out: Image) -> None:
        """A line is one group of one row: what is column 3 of all lines lies together once the lines are turned."""
        period, phases = self._axis.period, self._axis.phases
        lines = len(image) * self._axis.groups
        if self._sums.shape[1] < lines * 3:
            self._turned = np.empty(period * lines * 3, np.uint8)
            self._narrowed = np.empty(phases * lines * 3, np.uint8)
            self._sums = np.zeros((1, lines * 3), np.float32)
        turned = self._turned[: period * lines * 3].reshape(period, lines * 3)
        narrowed = self._narrowed[: phases * lines * 3].reshape(phases, lines * 3)
        sums = self._sums[:, : lines * 3]
        cv2.transpose(image.reshape(lines, period, 3), dst=turned.reshape(period, lines, 3))
        for phase, blend in enumerate(self._blends):
            for column, share in blend:
                cv2.accumulateWeighted(turned[column : column + 1], sums, share)
            cv2.convertScaleAbs(sums, dst=narrowed[phase : phase + 1])
        cv2.transpose(narrowed.reshape(phases, lines, 3), dst=out.reshape(lines, phases, 3))


def _by_pixels(image: Image, out: Image) -> None:
    cv2.resize(image, (out.shape[1], out.shape[0]), dst=out, interpolation=cv2.INTER_AREA)


def _bands(axis: Axis, width: int) -> int:
    """Into how many bands the groups are cut; at least one group a band."""
    return min(axis.groups, ceil(axis.groups * width * 3 * 4 / _BAND_BYTES))


def _cost_of_rows(axis: Axis, width: int) -> float:
    return axis.calls * (_CALL * _bands(axis, width) + _BYTE_BLENDED * axis.groups * width * 3)


def _cost_of_columns(axis: Axis, height: int) -> float:
    blending = axis.calls * (_CALL + _BYTE_BLENDED * axis.groups * height * 3)
    return blending + (_PIXEL_TURNED * axis.source + _PIXEL_TURNED_BACK * axis.target) * height


def _cost_of_pixels(source: tuple[int, int], size: tuple[int, int]) -> float:
    """INTER_AREA has a general way, one for whole factors and one for halving both sides."""
    pixels = source[0] * source[1]
    if source == (2 * size[0], 2 * size[1]):
        return _PIXEL_OF_HALVING * pixels
    whole = source[0] % size[0] == source[1] % size[1] == 0
    return (_PIXEL_OF_WHOLE_FACTORS if whole else _PIXEL_OF_INTER_AREA) * pixels
