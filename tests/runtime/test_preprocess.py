"""Preprocess: sizes, fits, colours, scales, and that shrinking does not alias."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orilla_runtime.errors import SourceError, UsageError
from orilla_runtime.preprocess import Preprocess, Preprocessor, as_bgr


def noise(rows: int, columns: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 400),
    columns=st.integers(1, 400),
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    fit=st.sampled_from(["stretch", "crop", "letterbox"]),
    channels=st.sampled_from(["rgb", "bgr", "grey"]),
    interpolation=st.sampled_from(["area", "linear"]),
    layout=st.sampled_from(["NHWC", "NCHW"]),
    dtype=st.sampled_from(["uint8", "int8", "float32", "float16"]),
)
def test_any_picture_fits(rows, columns, size, fit, channels, interpolation, layout, dtype) -> None:  # type: ignore[no-untyped-def]
    preprocess = Preprocess(
        size, fit=fit, channels=channels, interpolation=interpolation, layout=layout, dtype=dtype, pad=7
    )
    grey = np.full((rows, columns, 3), 101, np.uint8)
    tensor = preprocess(grey)
    assert tensor.shape == preprocess.shape
    assert tensor.dtype == dtype
    allowed = {101, 7} if fit == "letterbox" else {101}
    assert set(np.unique(tensor).tolist()) <= allowed


def test_the_picture_of_the_right_size_is_only_reordered() -> None:
    image = noise(20, 30)
    tensor = Preprocess((20, 30))(image)
    assert np.array_equal(tensor[0], image[:, :, ::-1])


def test_centre_crop_without_resize_takes_the_middle_pixels() -> None:
    image = noise(256, 341)
    tensor = Preprocess((224, 224), fit="crop", crop_fraction=0.875, channels="bgr")(image)
    assert np.array_equal(tensor[0], image[16:240, 58:282])


def test_letterbox_keeps_the_whole_picture() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    tensor = Preprocess((64, 64), fit="letterbox", pad=9)(image)[0]
    assert np.all(tensor[16:48] == 200)
    assert np.all(tensor[:16] == 9)
    assert np.all(tensor[48:] == 9)


def test_grey_is_opencvs() -> None:
    image = noise(16, 16)
    tensor = Preprocess((16, 16), channels="grey")(image)
    assert np.array_equal(tensor[0, :, :, 0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def test_scale_and_offset_by_channel_in_nchw() -> None:
    image = noise(8, 9)
    scale, offset = (1 / 58.4, 1 / 57.1, 1 / 57.4), (-2.1, -2.0, -1.8)
    tensor = Preprocess((8, 9), dtype="float32", layout="NCHW", scale=scale, offset=offset)(image)
    rgb = image[:, :, ::-1].astype(np.float64)
    expected = (rgb * scale + offset).transpose(2, 0, 1)[None]
    assert np.abs(tensor - expected).max() < 1e-6


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", "float16"])
@pytest.mark.parametrize("scale", [(0.5,), (0.25, 0.5, 0.75)])
@pytest.mark.parametrize("channels", ["rgb", "grey"])
def test_values_are_scaled_exactly(layout: str, dtype: str, scale: tuple[float, ...], channels: str) -> None:
    image = noise(8, 9)
    scale = scale[:1] if channels == "grey" else scale
    settings = {"dtype": dtype, "layout": layout, "scale": scale, "offset": (-20.5,), "channels": channels}
    tensor = Preprocess((8, 9), **settings)(image)  # type: ignore[arg-type]
    pixels = Preprocess((8, 9), channels=channels)(image)[0]  # type: ignore[arg-type]
    expected = pixels.astype(np.float64) * scale - 20.5
    if dtype in {"uint8", "int8"}:
        expected = np.clip(np.rint(expected), np.iinfo(dtype).min, np.iinfo(dtype).max)
    expected = expected.transpose(2, 0, 1) if layout == "NCHW" else expected
    assert np.array_equal(tensor[0], expected.astype(dtype))


def test_pictures_of_many_sizes_take_turns() -> None:
    preprocess = Preprocess((24, 32))
    preprocessor = Preprocessor(preprocess)
    sizes = [(90, 160), (160, 90), (120, 160), (24, 32), (20, 200), (97, 101), (12, 16)]
    for image in [noise(*size) for size in sizes + sizes[::-1]]:
        assert np.array_equal(preprocessor(image), preprocess(image))


def test_int8_is_rounded_and_clipped() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    tensor = Preprocess((16, 16), channels="grey", dtype="int8", scale=(1.0,), offset=(-128.0,))(image)
    assert tensor.reshape(-1).tolist() == list(range(-128, 128))


@pytest.mark.parametrize("period", [2, 4, 6])
@pytest.mark.parametrize("fit", ["stretch", "crop", "letterbox"])
def test_fine_stripes_become_grey_not_broad_stripes(period: int, fit: str) -> None:
    """Stripes of 1 to 3 pixels cannot be shown at a fifth of the size: what is left must be near their mean."""
    columns = (np.arange(1280) // (period // 2)) % 2 * 255
    image = np.broadcast_to(columns[None, :, None], (720, 1280, 3)).astype(np.uint8)
    area = Preprocess((96, 96), fit=fit)(image).astype(float)
    linear = Preprocess((96, 96), fit=fit, interpolation="linear")(image).astype(float)
    inside = slice(30, 66)
    assert area[0, inside].std() < 40
    assert area[0, inside].std() < linear[0, inside].std() / 2


def test_a_long_strip_does_not_alias() -> None:
    columns = (np.arange(12000) % 2) * 255
    image = np.broadcast_to(columns[None, :, None], (20, 12000, 3)).astype(np.uint8)
    assert Preprocess((32, 32))(image).std() < 3
    assert Preprocess((32, 32))(image.transpose(1, 0, 2)).std() < 3


def test_the_buffer_is_reused_and_the_frame_untouched() -> None:
    first, second = noise(40, 40), noise(40, 40, seed=1)
    first.setflags(write=False)
    preprocessor = Preprocessor(Preprocess((16, 16)))
    kept = preprocessor(first).copy()
    tensor = preprocessor(second)
    assert not np.array_equal(tensor, kept)
    assert np.array_equal(preprocessor(first), kept)


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (9, 9, 4)])
def test_grey_and_alpha_become_bgr(shape: tuple[int, ...]) -> None:
    assert as_bgr(np.zeros(shape, np.uint8)).shape == (9, 9, 3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        "a.jpg",
    ],
)
def test_what_is_no_picture_is_refused(image: object) -> None:
    with pytest.raises(SourceError, match="A frame must"):
        as_bgr(image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 8)},
        {"size": (8, 99999)},
        {"size": (8, 8), "fit": "zoom"},
        {"size": (8, 8), "crop_fraction": 0.0},
        {"size": (8, 8), "channels": "grey", "scale": (1.0, 1.0, 1.0)},
        {"size": (8, 8), "scale": (float("nan"),)},
        {"size": (8, 8), "dtype": "int32"},
    ],
)
def test_what_is_not_possible_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="is not possible"):
        Preprocess(**wrong)  # type: ignore[arg-type]
