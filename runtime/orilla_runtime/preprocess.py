"""Preprocess: the one way from a BGR picture to the input tensor.

Training, calibration, verification, evaluation and the device all call this; nothing else in Orilla scales a picture
for a model. `Preprocess` is data and travels in the bundle; `Preprocessor` is the function with its own buffers.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.downscale import AreaDownscaler
from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.records import dataclass

Fit = Literal["stretch", "crop", "letterbox"]
Channels = Literal["rgb", "bgr", "grey"]
Interpolation = Literal["area", "linear"]
Layout = Literal["NHWC", "NCHW"]
DType = Literal["uint8", "int8", "float32", "float16"]

_KEPT_SIZES = 4


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes the input tensor.

    size: height and width of the tensor, in pixels.
    fit: `stretch` scales both sides freely; `crop` takes the centre of the tensor's aspect ratio; `letterbox` keeps the
        whole picture and fills the rest with `pad`.
    crop_fraction: share of the largest centre crop that `crop` takes, 0 to 1 (ImageNet's evaluation takes 0.875).
    channels: order of the tensor's channels; `grey` has one.
    interpolation: how a picture is made smaller. `area` is the mean of the pixels that each output pixel covers, within
        one level, on each side that shrinks (what OpenCV's INTER_AREA gives), and does not alias; `linear` aliases and
        is there for models that were trained so. Enlarging is bilinear in both.
    dtype, layout: of the tensor. Artifacts made by Orilla take uint8 NHWC.
    scale, offset: `stored = pixel * scale + offset` with pixels of 0..255: one value, or one a channel. Integer
        dtypes are rounded and clipped.
    """

    size: tuple[int, int]
    fit: Fit = "stretch"
    crop_fraction: float = 1.0
    pad: int = 0
    channels: Channels = "rgb"
    interpolation: Interpolation = "area"
    dtype: DType = "uint8"
    layout: Layout = "NHWC"
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        self._require(len(self.size) == 2 and all(1 <= side <= 16384 for side in self.size), "size")
        self._require(self.fit in get_args(Fit), "fit")
        self._require(0.0 < self.crop_fraction <= 1.0, "crop_fraction")
        self._require(0 <= self.pad <= 255, "pad")
        self._require(self.channels in get_args(Channels), "channels")
        self._require(self.interpolation in get_args(Interpolation), "interpolation")
        self._require(self.dtype in get_args(DType), "dtype")
        self._require(self.layout in get_args(Layout), "layout")
        for name, values in (("scale", self.scale), ("offset", self.offset)):
            fits = len(values) in {1, self.depth} and all(np.isfinite(value) for value in values)
            self._require(fits, name)

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise UsageError(
                f"Preprocess: {name}={getattr(self, name)!r} is not possible.",
                "See docs/bundle.md for the values that it takes.",
            )

    @property
    def depth(self) -> int:
        """Number of channels of the tensor."""
        return 1 if self.channels == "grey" else 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the tensor, batch of one."""
        height, width = self.size
        return (1, height, width, self.depth) if self.layout == "NHWC" else (1, self.depth, height, width)

    @property
    def is_raw(self) -> bool:
        """True where the tensor is the resized pixels themselves: uint8, NHWC, nothing scaled."""
        plain = set(self.scale) == {1.0} and set(self.offset) == {0.0}
        return plain and self.dtype == "uint8" and self.layout == "NHWC"

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """One picture as a new tensor; for many pictures keep a `Preprocessor`."""
        return Preprocessor(self)(image).copy()


def as_bgr(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture in memory as BGR: grey (HxW, HxWx1) is spread over three channels, alpha is dropped.

    Raises:
        SourceError: not a uint8 picture of 1, 3 or 4 channels, or empty.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.size == 0:
        seen = f"{image.dtype}{list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise SourceError(
            f"A frame must be a uint8 picture, height x width x 3 (BGR), not {seen}.",
            "Scale 16-bit pictures to 8 bits; give files by their path.",
        )
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        return _uint8(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if image.ndim == 3 and image.shape[2] == 4:
        return _uint8(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR))
    raise SourceError(
        f"A frame must have 1, 3 or 4 channels, not the shape {list(image.shape)}.",
        "Give one picture at a time, as OpenCV reads it.",
    )


class Preprocessor:
    """`Preprocess` as a function that writes into its own buffers. Not thread-safe: one for each thread."""

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = preprocess
        height, width = preprocess.size
        self._resized = np.empty((height, width, 3), np.uint8)
        self._inner = np.empty(height * width * 3, np.uint8)
        self._coloured = np.empty((height, width, preprocess.depth), np.uint8)
        self._store = None if preprocess.is_raw else _Store(preprocess)
        self._downscalers: dict[tuple[tuple[int, int], tuple[int, int]], AreaDownscaler] = {}

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The tensor of one picture, batch of one. The array is overwritten by the next call."""
        pixels = self._pixels(as_bgr(image))
        return pixels[np.newaxis] if self._store is None else self._store(pixels)

    def _pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture in the tensor's size and colour order; the colour is converted on the small picture."""
        if self.preprocess.fit == "letterbox":
            resized = self._letterbox(image)
        else:
            cropped = self._crop(image) if self.preprocess.fit == "crop" else image
            resized = self._resize(cropped, self._resized)
        if self.preprocess.channels == "bgr":
            return resized
        code = cv2.COLOR_BGR2RGB if self.preprocess.channels == "rgb" else cv2.COLOR_BGR2GRAY
        cv2.cvtColor(resized, code, dst=self._coloured)
        return self._coloured

    def _crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, columns = image.shape[:2]
        height, width = self.preprocess.size
        scale = min(rows / height, columns / width) * self.preprocess.crop_fraction
        crop_rows = min(rows, max(1, int(height * scale + 1e-9)))
        crop_columns = min(columns, max(1, int(width * scale + 1e-9)))
        top, left = (rows - crop_rows) // 2, (columns - crop_columns) // 2
        return image[top : top + crop_rows, left : left + crop_columns]

    def _letterbox(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, columns = image.shape[:2]
        height, width = self.preprocess.size
        scale = min(height / rows, width / columns)
        inner = min(height, max(1, round(rows * scale))), min(width, max(1, round(columns * scale)))
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        buffer = self._inner[: inner[0] * inner[1] * 3].reshape(*inner, 3)
        self._resized[:] = self.preprocess.pad
        self._resized[top : top + inner[0], left : left + inner[1]] = self._resize(image, buffer)
        return self._resized

    def _resize(self, image: NDArray[np.uint8], out: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize into `out`; a picture that has the size already is given back as it is.

        INTER_AREA is bilinear on both sides as soon as one is enlarged, so a strip of 12000x20 would alias: the sides
        that shrink come first, by area, then the others.
        """
        height, width = out.shape[:2]
        if self.preprocess.interpolation == "area":
            source = image.shape[0], image.shape[1]
            shrunk = min(source[0], height), min(source[1], width)
            if shrunk != source:
                smaller = out if shrunk == (height, width) else np.empty((*shrunk, 3), np.uint8)
                self._downscaler(source, shrunk)(image, smaller)
                image = smaller
        if image.shape[:2] == (height, width):
            return image
        return _uint8(cv2.resize(image, (width, height), dst=out, interpolation=cv2.INTER_LINEAR))

    def _downscaler(self, source: tuple[int, int], size: tuple[int, int]) -> AreaDownscaler:
        """Kept for the last few sizes: a camera has one, a folder often a landscape and a portrait one."""
        found = self._downscalers.pop((source, size), None) or AreaDownscaler(source, size)
        self._downscalers[source, size] = found
        if len(self._downscalers) > _KEPT_SIZES:
            del self._downscalers[next(iter(self._downscalers))]
        return found


class _Store:
    """Pixels to the tensor's values, by a table of what each of the 256 becomes: exact, and cheaper than arithmetic."""

    def __init__(self, preprocess: Preprocess) -> None:
        self._tensor = np.empty(preprocess.shape, preprocess.dtype)
        # OpenCV's tables hold no float16, and which signed types they hold differs: bits are moved, not numbers.
        moved = {1: np.uint8, 2: np.uint16, 4: np.float32}[self._tensor.itemsize]
        self._moved = self._tensor.view(moved)[0]
        self._tables = _tables(preprocess).view(moved)
        self._by_planes = preprocess.layout == "NCHW"
        self._plane = np.empty(preprocess.size, np.uint8)
        alike = (self._tables == self._tables[:1]).all()
        self._pixel_table = self._tables[0] if alike else np.ascontiguousarray(self._tables.T)[np.newaxis]

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        if not self._by_planes:
            cv2.LUT(pixels, self._pixel_table, dst=self._moved)
            return self._tensor
        for channel, table in enumerate(self._tables):
            cv2.extractChannel(pixels, channel, dst=self._plane)
            cv2.LUT(self._plane, table, dst=self._moved[channel])
        return self._tensor


def _tables(preprocess: Preprocess) -> NDArray[Any]:
    """What each of the 256 pixel values becomes: channels x 256, in the tensor's type."""
    scales = np.broadcast_to(preprocess.scale, preprocess.depth)[:, np.newaxis]
    offsets = np.broadcast_to(preprocess.offset, preprocess.depth)[:, np.newaxis]
    values: NDArray[Any] = np.arange(256, dtype=np.float64) * scales + offsets
    if preprocess.dtype in {"uint8", "int8"}:
        limits = np.iinfo(preprocess.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(preprocess.dtype)


def _uint8(array: Any) -> NDArray[np.uint8]:
    """OpenCV's stubs promise any array; what these calls return is uint8."""
    return array  # type: ignore[no-any-return]
