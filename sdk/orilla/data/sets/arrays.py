"""Pictures and labels in an `.npz`: which arrays are what, and each picture as the file that it becomes.

Known layouts: `images` with `labels`, and if there are some `class_names`, `split` and other columns; Keras's
`x_train`, `y_train`, `x_test`, `y_test`; and coded pictures one after another, `train_jpeg` with `train_offsets`
and `train_labels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orilla.data.sets.npz import StoredArray, open_npz
from orilla.data.sets.unpacking import Picture, folder_name
from orilla_runtime.errors import DataError
from orilla_runtime.labelled.rows import MEANINGS
from orilla_runtime.sources.picture import MAX_PIXELS
from orilla_runtime.text import printable

PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""How arrays call the parts of a split, and what they are."""

_LAYOUTS = "Name the arrays images and labels, or x_train, y_train, x_test, y_test."
_LARGEST_CODED = 64 * 2**20
_LONGEST_NAME, _LONGEST_VALUE = 200, 4000
"""Characters of a class's name, and of a value in another column."""
_STARTS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}


@dataclass(frozen=True, slots=True)
class _Part:
    """Arrays that belong together; `split` is None where they are not a part of a given split."""

    split: str | None
    images: StoredArray
    labels: StoredArray | None
    offsets: StoredArray | None = None
    columns: tuple[StoredArray, ...] = ()


def holds_pictures(path: Path) -> bool:
    """Whether an `.npz` has labelled pictures in one of the known layouts.

    Raises:
        DataError: it cannot be read.
    """
    with open_npz(path) as arrays:
        return any(part.labels is not None for part in _parts(arrays))


def array_pictures(path: Path, *, labelled: bool = True, names: Sequence[str] | None = None) -> Iterator[Picture]:
    """Each picture of an `.npz`, one at a time: pixels as PNG, coded pictures as they are.

    Args:
        labelled: whether pictures without labels are refused.
        names: the classes' names, where the file does not hold any.

    Raises:
        DataError: while iterating: no known layout, an array of a wrong shape or type, or a damaged file.
    """
    with open_npz(path) as arrays:
        parts = _parts(arrays)
        if not parts:
            held = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in arrays.items())
            raise DataError(f"{path} holds no pictures in a known layout: {held or 'no array'}.", _LAYOUTS)
        known = _class_names(arrays["class_names"]) if "class_names" in arrays else names
        for part in parts:
            if labelled and part.labels is None:
                raise DataError(f"{path} has {part.images.name} without labels.", _LAYOUTS)
            yield from _pictures(part, known)


def _parts(arrays: Mapping[str, StoredArray]) -> list[_Part]:
    if "images" in arrays:
        images = arrays["images"]
        columns = tuple(array for array in arrays.values() if _is_column(array, images))
        return [_Part(None, images, arrays.get("labels"), columns=columns)]
    found = []
    for name, split in PARTS.items():
        if f"x_{name}" in arrays:
            found.append(_Part(split, arrays[f"x_{name}"], arrays.get(f"y_{name}")))
        elif f"{name}_jpeg" in arrays and f"{name}_offsets" in arrays:
            offsets = arrays[f"{name}_offsets"]
            found.append(_Part(split, arrays[f"{name}_jpeg"], arrays.get(f"{name}_labels"), offsets))
    if len({part.split for part in found}) < len(found):
        raise DataError(f"{found[0].images.file} holds pictures for validation twice.", "Leave one of them.")
    return found


def _is_column(array: StoredArray, images: StoredArray) -> bool:
    """Whether it holds a number or a text for each picture, under a name that a table's column can have."""
    taken = {"images", "labels", "class_names", *MEANINGS}
    fits = array.dtype.kind in "iufb" or (array.dtype.kind == "U" and array.dtype.itemsize <= 4 * _LONGEST_VALUE)
    named = bool(array.name) and array.name.isprintable() and array.name == array.name.strip()
    return fits and named and array.name not in taken and array.shape == images.shape[:1]


def _pictures(part: _Part, names: Sequence[str] | None) -> Iterator[Picture]:
    files = _pixel_files(part.images) if part.offsets is None else _coded_files(part.images, part.offsets)
    count = part.images.shape[0] if part.offsets is None else max(part.offsets.shape[0] - 1, 0)
    labels = None if part.labels is None else _labels(part.labels, count, names)
    columns = {
        array.name: [printable(str(value).strip()) for value in array.whole().tolist()] for array in part.columns
    }
    digits = len(str(max(count - 1, 0)))
    for place, (content, suffix) in enumerate(files):
        said = {name: values[place] for name, values in columns.items()}
        split = said.get("split", "") if part.split is None else part.split
        label = None if labels is None else labels[place]
        folders = [folder_name(name) for name in (split, label) if name]
        path = "/".join([*folders, f"{place:0{digits}}{suffix}"])
        yield Picture(path, content, label, said if part.split is None else {"split": part.split})


def _pixel_files(images: StoredArray) -> Iterator[tuple[bytes, str]]:
    shape = images.shape
    if images.dtype != np.uint8:
        raise DataError(f"{images}; pictures are uint8, 0 to 255.", "Save (array * 255).round().astype('uint8'), say.")
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))):
        raise DataError(f"{images}; pictures are [n, height, width] or [n, height, width, 1, 3 or 4].", _turned(shape))
    if not 0 < shape[1] * shape[2] <= MAX_PIXELS:
        raise DataError(f"{images}; a picture has 1 to {MAX_PIXELS:,} pixels.", "Are the axes in order?")
    for image in images.rows():
        yield _png(image), ".png"


def _turned(shape: tuple[int, ...]) -> str:
    if len(shape) == 4 and shape[1] in (1, 3):
        return "The channels come first: save array.transpose(0, 2, 3, 1)."
    return "Give one picture a row, its colours in the order red, green, blue."


def _png(image: NDArray[Any]) -> bytes:
    if image.ndim == 3 and image.shape[2] > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def _coded_files(images: StoredArray, offsets: StoredArray) -> Iterator[tuple[bytes, str]]:
    if images.dtype != np.uint8 or len(images.shape) != 1:
        raise DataError(f"{images}; coded pictures are one row of bytes, uint8 [bytes].", "See docs/data.md.")
    ends = _offsets(images, offsets)
    for place, content in enumerate(images.pieces(ends)):
        suffix = next((suffix for start, suffix in _STARTS.items() if content.startswith(start)), None)
        if suffix is None:
            raise DataError(f"{images.file}: picture {place} of {images.name!r} is no JPEG and no PNG.", "Check it.")
        yield content, suffix


def _offsets(images: StoredArray, offsets: StoredArray) -> NDArray[np.int64]:
    if offsets.dtype.kind not in "iu" or len(offsets.shape) != 1 or not offsets.shape[0]:
        raise DataError(f"{offsets}; it holds where each picture begins and the last ends.", "Save int64 [n + 1].")
    values = offsets.whole()
    lengths = np.diff(values.astype(np.float64))  # the difference of unsigned numbers cannot be negative
    sound = values[0] == 0 and int(values[-1]) == images.shape[0] and bool(np.all(lengths > 0))
    if not sound or bool(np.any(lengths > _LARGEST_CODED)):
        raise DataError(
            f"{offsets.file}: {offsets.name!r} does not cut {images.name!r} into pictures.",
            f"It begins with 0, grows, and ends with {images.shape[0]}.",
        )
    return np.asarray(values[1:], np.int64)


def _class_names(array: StoredArray) -> tuple[str, ...]:
    names = _texts(array) if len(array.shape) == 1 and array.dtype.kind in "US" else []
    if not names or len(set(names)) < len(names):
        raise DataError(f"{array}; it holds the name of each class, once.", "Save a list of different texts.")
    return tuple(names)


def _labels(array: StoredArray, count: int, names: Sequence[str] | None) -> list[str]:
    """The class of each picture as a name: that of `names`, the text itself, or the number as it is."""
    if array.shape not in ((count,), (count, 1)) or array.dtype.kind not in "iuUS":
        one_hot = "argmax(axis=1)" if len(array.shape) == 2 else "as whole numbers or texts"
        raise DataError(f"{array}; there are {count} pictures.", f"Save one class a picture, {one_hot}.")
    if array.dtype.kind in "US":
        return _texts(array)
    ids = array.whole().reshape(-1)
    if names is None:
        return [str(class_id) for class_id in ids.tolist()]
    if count and (int(ids.min()) < 0 or int(ids.max()) >= len(names)):
        wrong = int(ids.max()) if int(ids.min()) >= 0 else int(ids.min())
        raise DataError(f"{array.file}: {array.name!r} holds {wrong}; there are {len(names)} names.", "Count from 0.")
    return [names[class_id] for class_id in ids.tolist()]


def _texts(array: StoredArray) -> list[str]:
    try:
        values = array.whole().reshape(-1).tolist()
        texts = [(value.decode() if isinstance(value, bytes) else value).strip() for value in values]
    except UnicodeDecodeError as error:
        raise DataError(f"{array.file}: {array.name!r} is not text in UTF-8.", "Save texts.") from error
    wrong = next((text for text in dict.fromkeys(texts) if not _is_name(text)), None)
    if wrong is not None:
        raise DataError(f"{array.file}: {array.name!r} holds {wrong[:60]!r}, which is no name.", "Save plain names.")
    return texts


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and printable(text) == text
