"""Picture files: the odd ones, the hostile ones, and what is promised of every one that is read."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import SourceError
from orilla_runtime.sources.picture import decode_picture, read_picture

Unzip = Callable[[str], Path]


@pytest.fixture(scope="module")
def odd(unzipped: Unzip) -> Path:
    return unzipped("odd_images.zip")


def _entries(odd: Path) -> Iterator[dict[str, Any]]:
    index = json.loads((odd / "index.json").read_text(encoding="utf-8"))
    yield from next(value for value in index.values() if isinstance(value, list))


def _read(path: Path) -> np.ndarray | SourceError:
    try:
        return read_picture(path)
    except SourceError as error:
        return error


def _check_pixels(image: np.ndarray, entry: dict[str, Any]) -> None:
    name = entry["file"]
    assert image.dtype == np.uint8, name
    assert image.flags.c_contiguous, name
    assert image.shape == (entry["height"], entry["width"], 3), name
    height, width = image.shape[:2]
    for corner, rgb in entry.get("quadrants", {}).items():
        row = height // 4 if corner[0] == "T" else 3 * height // 4
        column = width // 4 if corner[1] == "L" else 3 * width // 4
        patch = image[row - height // 16 : row + height // 16, column - width // 16 : column + width // 16]
        difference = np.abs(patch.reshape(-1, 3).mean(0)[::-1] - rgb).max()
        assert difference <= entry["tolerance"], (name, corner, difference)


def test_each_odd_image_is_what_its_index_says(odd: Path) -> None:
    seen = 0
    for entry in _entries(odd):
        path = odd / "files" / entry["file"]
        seen += 1
        result = _read(path)
        if isinstance(result, SourceError):
            assert entry["expect"] != "decode", result
            assert str(path) in result.message
            assert len(str(result).splitlines()) == 1
        else:
            assert entry["expect"] != "refuse", path.name
            _check_pixels(result, entry)
    assert seen == 58


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("phone.heic", "HEIC, which is not supported"),
        ("truncated_60.jpg", "cut off"),
        ("truncated_40.png", "cut off"),
        ("bad_crc.png", "damaged"),
        ("header_only.png", "cut off"),
        ("zero_width.png", "0x48"),
        ("float32.tiff", "floating-point"),
        ("empty.jpg", "empty"),
        ("text_renamed.jpg", "text, not a picture"),
        ("page.svg", "an SVG drawing"),
        ("bomb_30000x30000.png", "more than the limit of 100 megapixels"),
    ],
)
def test_a_refusal_says_why(odd: Path, name: str, words: str) -> None:
    with pytest.raises(SourceError, match=name.replace(".", r"\.")) as caught:
        read_picture(odd / "files" / name)
    assert words in caught.value.message


def test_a_bomb_is_refused_without_its_memory(odd: Path) -> None:
    resource = pytest.importorskip("resource")
    assert resource is not None
    code = (
        "import resource, sys\n"
        "from orilla_runtime.errors import SourceError\n"
        "from orilla_runtime.sources.picture import read_picture\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_picture(path)\n"
        "    except SourceError: pass\n"
        "    else: raise SystemExit(path)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    bombs = [str(odd / "files" / name) for name in ("bomb_30000x30000.png", "bomb_60000x60000.png")]
    run = subprocess.run([sys.executable, "-c", code, *bombs], capture_output=True, text=True, check=True, timeout=60)
    grown = int(run.stdout) / (1024 if sys.platform == "darwin" else 1)
    assert grown < 20_000, f"{grown:.0f} KiB"
    assert run.stderr == ""


def test_the_limit_is_an_argument(odd: Path) -> None:
    path = odd / "files" / "plain.jpg"
    assert read_picture(path, max_pixels=64 * 48).shape == (48, 64, 3)
    with pytest.raises(SourceError, match="64x48"):
        read_picture(path, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("name", ["folder_named.jpg", "not there.jpg", "nul\0.jpg", "x" * 300 + ".jpg"])
def test_what_is_no_file_is_refused(odd: Path, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_picture(odd / "files" / name)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero"])
def test_pipes_and_devices_do_not_hang(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pipe.jpg" if kind == "fifo" else Path(kind)
    if kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(SourceError, match="a pipe or a device"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".gif", ".webp", ".tiff", ".avif"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_no_picture_that_was_cut_off_is_half_a_picture(suffix: str, share: float) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (60, 80, 3), np.uint8)
    data = _encoded(suffix, cv2.resize(noise, (160, 120)))
    assert decode_picture(data, "whole").shape == (120, 160, 3)
    with pytest.raises(SourceError, match="damaged" if suffix == ".gif" else "cut off"):
        decode_picture(data[: int(len(data) * share)], "picture")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_with_an_orientation_is_upright(orientation: int) -> None:
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:10, :15] = 255
    stored = _turned(upright, orientation)
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<HH", orientation, 0) + b"\0\0\0\0"
    image = decode_picture(_with_chunk(_encoded(".png", stored), b"eXIf", exif), "turned.png")
    np.testing.assert_array_equal(image, upright)


def test_16_bits_are_scaled_not_clipped() -> None:
    levels = np.arange(256, dtype=np.uint16)[np.newaxis].repeat(4, axis=0)
    for suffix in (".png", ".tiff"):
        image = decode_picture(_encoded(suffix, levels * 257), "levels")
        np.testing.assert_allclose(image[0, :, 0].astype(int), np.arange(256), atol=1)


def test_alpha_is_dropped_and_grey_is_spread() -> None:
    pixels = np.full((5, 6, 4), (10, 20, 30, 0), np.uint8)
    assert (decode_picture(_encoded(".png", pixels), "alpha") == (10, 20, 30)).all()
    assert (decode_picture(_encoded(".png", pixels[:, :, 1]), "grey") == 20).all()


def test_a_rotated_avif_is_refused_rather_than_shown_on_its_side() -> None:
    data = _encoded(".avif", np.zeros((20, 30, 3), np.uint8))
    turned = bytearray(data)
    for box in (b"meta", b"iprp", b"ipco"):
        place = data.find(box) - 4
        turned[place : place + 4] = struct.pack(">I", struct.unpack_from(">I", data, place)[0] + 9)
    place = data.find(b"ipco") + 4
    turned[place:place] = b"\0\0\0\x09irot\x01"
    with pytest.raises(SourceError, match="rotated"):
        decode_picture(bytes(turned), "turned.avif")


def test_a_damaged_png_prints_nothing(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("bad_crc.png", "truncated_40.png", "truncated_60.jpg", "header_only.png", "float32.tiff"):
        with pytest.raises(SourceError):
            read_picture(odd / "files" / name)
    assert capfd.readouterr().err == ""


def _encoded(suffix: str, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


def _with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]


def _turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores when `orientation` is to bring it back."""
    turns = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image, -1),
    }
    return np.ascontiguousarray(turns[orientation])
