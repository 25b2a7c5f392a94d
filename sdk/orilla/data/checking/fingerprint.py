"""A picture in a few hundred bytes: enough to find its copies, also where they were coded again, resized or brightened.

Two steps, because one is not enough (docs/decisions/0501-look-alikes.md has the measurements). The 64-bit hash finds
candidates quickly; the sketch, a picture of 16x16 grey pixels, tells the true ones among them.

Source of the hash: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1
(signs of the low frequencies of the discrete cosine transform); here the 8x8 coefficients begin behind the first row
and column, so that even light from one side does not decide a bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla_runtime.sources.base import Image

SKETCH = 16
_HASHED = 32


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of one picture.

    digest: the first 128 bits of a sha256 over height, width and the decoded BGR pixels, as two uint64. Files of
        different bytes with the same pixels (a PNG and a BMP, another comment) have the same.
    hash: 64 bits; half of them are set, so two hashes differ in an even number of bits.
    sketch: uint8 [256], the picture in 16x16 grey pixels.
    """

    digest: NDArray[np.uint64]
    hash: np.uint64
    sketch: NDArray[np.uint8]


def fingerprint(picture: Image) -> Fingerprint:
    """The fingerprint of a uint8 BGR picture, height x width x 3."""
    total = hashlib.sha256(np.array(picture.shape[:2], "<u8").tobytes())
    total.update(picture.data)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_HASHED, _HASHED), interpolation=cv2.INTER_AREA)
    waves = np.asarray(cv2.dct(small.astype(np.float32)))[1:9, 1:9]
    bits = np.packbits(waves > np.median(waves))
    sketch = np.asarray(cv2.resize(small, (SKETCH, SKETCH), interpolation=cv2.INTER_AREA), np.uint8)
    digest = np.frombuffer(total.digest()[:16], np.uint64)
    return Fingerprint(digest, bits.view(np.uint64)[0], sketch.reshape(-1))
