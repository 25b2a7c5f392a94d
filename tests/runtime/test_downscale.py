"""Shrinking by area: near the exact mean of the covered pixels, whatever the sizes, the layout and what came before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orilla_runtime.downscale import AreaDownscaler

Image = NDArray[np.uint8]
Size = tuple[int, int]
FRAME, SIZE = (720, 1280), (224, 224)


def shrink(image: Image, size: Size) -> Image:
    out = np.empty((*size, 3), np.uint8)
    AreaDownscaler((image.shape[0], image.shape[1]), size)(image, out)
    return out


def by_opencv(image: Image, size: Size) -> Image:
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def shares(source: int, target: int) -> NDArray[np.float64]:
    """How much of each target line each source line makes up, from the overlap of their intervals."""
    scale = source / target
    low = np.arange(target)[:, None] * scale
    line = np.arange(source)[None]
    overlap: NDArray[np.float64] = np.clip(np.minimum(low + scale, line + 1) - np.maximum(low, line), 0, 1)
    return overlap / scale


def exact(image: Image, size: Size) -> NDArray[np.float64]:
    rows, columns = shares(image.shape[0], size[0]), shares(image.shape[1], size[1])
    lowered = rows @ image.reshape(len(image), -1).astype(np.float64)
    means: NDArray[np.float64] = columns @ lowered.reshape(size[0], -1, 3)
    return means


def noise(rows: int, columns: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def patterns(rows: int, columns: int) -> dict[str, Image]:
    """A zone plate, and stripes of 1 to 3 pixels: vertical, horizontal and diagonal."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    squares = (x - columns / 2) ** 2 + (y - rows / 2) ** 2
    made = {"plate": 127.5 + 127.5 * np.cos(squares * np.pi / columns)}
    for width in (1, 2, 3):
        for name, along in (("vertical", x), ("horizontal", y), ("diagonal", x + y)):
            made[f"{name} {width}"] = ((along // width) % 2) * 255
    return {name: pattern.astype(np.uint8)[:, :, None].repeat(3, axis=2) for name, pattern in made.items()}


@pytest.mark.parametrize(("name", "image"), patterns(*FRAME).items())
def test_fine_patterns_come_out_as_inter_area_shows_them(name: str, image: Image) -> None:
    reference = by_opencv(image, SIZE).astype(int)
    error = np.abs(shrink(image, SIZE) - reference).mean()
    linear = np.abs(cv2.resize(image, SIZE, interpolation=cv2.INTER_LINEAR) - reference).mean()
    assert error < 0.5
    assert error <= linear / 4


SIZES = {
    "a camera's frame": (FRAME, SIZE),
    "its centre crop": ((630, 630), SIZE),
    "a larger frame": ((1080, 1920), SIZE),
    "a smaller one": ((480, 640), SIZE),
    "wide tensor": (FRAME, (126, 224)),
    "odd width": ((720, 1279), SIZE),
    "odd height": ((719, 1280), SIZE),
    "both odd": ((719, 1279), SIZE),
    "prime tensor": (FRAME, (299, 299)),
    "halved": ((448, 448), SIZE),
    "whole factors": (FRAME, (240, 320)),
    "one side halved": (FRAME, (640, 640)),
    "only rows": ((720, 224), SIZE),
    "only columns": ((224, 1280), SIZE),
    "barely": ((225, 225), SIZE),
    "the same": (SIZE, SIZE),
    "to a point": (FRAME, (1, 1)),
    "a strip": ((20, 12000), (20, 32)),
    "a column": ((12000, 3), (32, 2)),
    "bands of unequal height": ((210, 4000), (28, 400)),
}


@pytest.mark.parametrize(("source", "size"), SIZES.values(), ids=SIZES.keys())
def test_within_one_level_of_the_exact_mean(source: Size, size: Size) -> None:
    image = noise(*source)
    assert np.abs(shrink(image, size) - exact(image, size)).max() <= 1.01


@pytest.mark.parametrize("source", [(3000, 4000), (4000, 3000), (3001, 4001)])
def test_photos_of_12_megapixels(source: Size) -> None:
    image = np.asarray(cv2.resize(noise(300, 400), source[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    assert np.abs(shrink(image, SIZE) - by_opencv(image, SIZE).astype(int)).max() <= 1


@settings(max_examples=120, deadline=None)
@given(
    rows=st.tuples(st.integers(1, 16), st.integers(1, 30), st.integers(1, 12)),
    columns=st.tuples(st.integers(1, 32), st.integers(1, 30), st.integers(1, 12)),
    seed=st.integers(0, 99),
)
def test_any_size(rows: tuple[int, int, int], columns: tuple[int, int, int], seed: int) -> None:
    """Sizes with a common divisor of every kind: few large groups, many small ones, none."""
    source = rows[0] * max(rows[1:]), columns[0] * max(columns[1:])
    size = rows[0] * min(rows[1:]), columns[0] * min(columns[1:])
    image = noise(*source, seed=seed)
    small = shrink(image, size)
    assert np.abs(small - exact(image, size)).max() <= 1.01
    assert abs(small.mean() - image.mean()) <= 1.0


@pytest.mark.parametrize(("source", "size"), SIZES.values(), ids=SIZES.keys())
def test_an_even_picture_stays_even(source: Size, size: Size) -> None:
    downscaler, out = AreaDownscaler(source, size), np.empty((*size, 3), np.uint8)
    for level in (0, 1, 101, 127, 254, 255):
        downscaler(np.full((*source, 3), level, np.uint8), out)
        assert np.all(out == level)


def test_every_level_stays_itself() -> None:
    downscaler, out = AreaDownscaler((360, 640), (112, 112)), np.empty((112, 112, 3), np.uint8)
    for level in range(256):
        downscaler(np.full((360, 640, 3), level, np.uint8), out)
        assert np.all(out == level)


def test_the_mean_of_a_picture_is_kept() -> None:
    image = noise(*FRAME)
    assert np.abs(shrink(image, SIZE).mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 0.05


def test_channels_stay_apart() -> None:
    image = np.zeros((*FRAME, 3), np.uint8)
    image[:, :, 1], image[:, :, 2] = 90, 200
    assert np.unique(shrink(image, SIZE).reshape(-1, 3), axis=0).tolist() == [[0, 90, 200]]


VIEWS = {
    "crop": lambda image: image[40:680, 300:940],
    "upside down": lambda image: image[::-1],
    "mirrored": lambda image: image[:, ::-1],
    "every second": lambda image: image[::2, ::2],
    "every third row": lambda image: image[::3],
    "RGB": lambda image: image[:, :, ::-1],
    "turned": lambda image: image.transpose(1, 0, 2),
    "three of four channels": lambda image: np.dstack([image, image[:, :, :1]])[:, :, :3],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_any_memory_layout_gives_the_same_and_is_not_written_to(view) -> None:  # type: ignore[no-untyped-def]
    image = noise(*FRAME)
    image.setflags(write=False)
    seen = view(image)
    assert np.array_equal(shrink(seen, SIZE), shrink(seen.copy(), SIZE))
    assert np.array_equal(image, noise(*FRAME))


def test_nothing_of_one_picture_is_left_in_the_next() -> None:
    source, size = SIZES["bands of unequal height"]
    downscaler, out = AreaDownscaler(source, size), np.empty((*size, 3), np.uint8)
    for seed in (1, 2, 1):
        image = noise(*source, seed=seed)
        downscaler(image, out)
        assert np.array_equal(out, shrink(image, size))
