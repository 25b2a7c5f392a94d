"""What the model saw in training is what it sees on the device: the same top-1 for every picture of an odd folder."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import orilla

WAYS = ("plain", "exif", "grey", "alpha", "16-bit", "odd")


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that holds only tag 274."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00\x2a" + struct.pack(">I", 8) + struct.pack(">H", 1) + entry + struct.pack(">I", 0)
    payload = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def stored(image: NDArray[np.uint8], way: str, index: int) -> tuple[str, bytes]:
    """The grey digit as a file of some kind: suffix and bytes."""
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if way == "exif":
        # Orientation 6 says: stored lying on its left side. 3 says: upside down.
        turned, tag = (np.rot90(colour, 1), 6) if index % 2 else (np.rot90(colour, 2), 3)
        return ".jpg", with_orientation(cv2.imencode(".jpg", np.ascontiguousarray(turned))[1].tobytes(), tag)
    if way == "alpha":
        colour = np.dstack([colour, np.full(image.shape, 128, np.uint8)])
    if way == "odd":
        colour = cv2.resize(colour, (37 + index % 50, 91), interpolation=cv2.INTER_CUBIC)
    picture = {"grey": image, "16-bit": image.astype(np.uint16) * 257}.get(way, colour)
    return ".png", cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture(scope="module")
def odd_folder(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    for label in "0123456789":
        (folder / label).mkdir()
        for index, source in enumerate(sorted((digits_folder / label).glob("*.png"))[:18]):
            way = WAYS[index % len(WAYS)]
            suffix, data = stored(cv2.imread(str(source), cv2.IMREAD_GRAYSCALE), way, index)
            (folder / label / f"{way}-{index}{suffix}").write_bytes(data)
    return folder


def test_same_top1_for_every_picture(digits_model: Path, digits_bundle: Path, odd_folder: Path) -> None:
    keras = orilla.evaluate(digits_model, odd_folder)
    device = orilla.evaluate(digits_bundle, odd_folder)
    (reference,) = keras.artifacts
    assert len(keras.paths) == 180
    assert keras.paths == device.paths
    assert keras.truth == device.truth
    float32 = {entry.format: entry for entry in device.artifacts if entry.precision == "float32"}
    assert set(float32) == {"tflite", "onnx"}
    for entry in float32.values():
        assert entry.predicted == reference.predicted
    assert reference.accuracy.top1 >= 0.85, "a rotated or inverted picture would be far below this"
