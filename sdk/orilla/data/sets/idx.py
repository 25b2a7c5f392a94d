"""The idx files of MNIST and Fashion-MNIST, plain or gzipped: big-endian sizes, then bytes.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database: file formats for the MNIST database.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path

import cv2
import numpy as np

from orilla.data.sets.unpacking import Picture, folder_name
from orilla_runtime.errors import DataError

_PARTS = {"train": "train", "t10k": "test"}
_IMAGES, _LABELS = 0x0803, 0x0801
_MOST, _LARGEST_SIDE = 10_000_000, 4096


def idx_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The files of images and labels that lie in a folder, by the part of the split that they are."""
    found = {}
    for name, split in _PARTS.items():
        images, labels = _file(folder, f"{name}-images", "idx3"), _file(folder, f"{name}-labels", "idx1")
        if images and labels:
            found[split] = (images, labels)
    return found


def _file(folder: Path, stem: str, kind: str) -> Path | None:
    names = [f"{stem}{mark}{kind}-ubyte{suffix}" for mark in "-." for suffix in (".gz", "")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def idx_pictures(folder: Path, names: Sequence[str]) -> Iterator[Picture]:
    """Each picture of the idx files of a folder as PNG, one at a time; `names` are the classes' names.

    Raises:
        DataError: while iterating: a file that is damaged or does not fit its neighbour.
    """
    for split, (images, labels) in idx_files(folder).items():
        try:
            with _opened(images) as pixels, _opened(labels) as ids:
                yield from _part(split, images, pixels, labels, ids, names)
        except (OSError, EOFError, zlib.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DataError(f"{images} or {labels.name} cannot be read: {reason}.", "Get the files again.") from error


def _part(
    split: str, images: Path, pixels: BufferedIOBase, labels: Path, ids: BufferedIOBase, names: Sequence[str]
) -> Iterator[Picture]:
    count, height, width = _header(images, pixels, _IMAGES, 3)
    (labelled,) = _header(labels, ids, _LABELS, 1)
    if count != labelled:
        raise DataError(f"{images} holds {count} pictures and {labels.name} {labelled} labels.", "Get both again.")
    if not (0 < count <= _MOST and 0 < height <= _LARGEST_SIDE and 0 < width <= _LARGEST_SIDE):
        raise DataError(f"{images} says {count} pictures of {width}x{height} pixels.", "Get the file again.")
    for place in range(count):
        image = np.frombuffer(_exactly(images, pixels, height * width), np.uint8).reshape(height, width)
        class_id = _exactly(labels, ids, 1)[0]
        if class_id >= len(names):
            raise DataError(f"{labels}: class {class_id}; there are {len(names)}.", "Is it a file of this set?")
        label = names[class_id]
        path = f"{split}/{folder_name(label)}/{place:0{len(str(count - 1))}}.png"
        yield Picture(path, cv2.imencode(".png", image)[1].tobytes(), label, {"split": split})
    if pixels.read(1) or ids.read(1):
        raise DataError(f"{images} or {labels.name} is longer than its header says.", "Get the files again.")


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _header(path: Path, file: BufferedIOBase, magic: int, axes: int) -> tuple[int, ...]:
    found, *sizes = struct.unpack(f">{axes + 1}I", _exactly(path, file, 4 * (axes + 1)))
    if found != magic:
        raise DataError(f"{path} is no idx file of bytes with {axes} axes.", "Get the file again.")
    return tuple(sizes)


def _exactly(path: Path, file: BufferedIOBase, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise DataError(f"{path} is cut off.", "Get the file again.")
    return data
