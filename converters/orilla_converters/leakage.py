"""Pictures that lie in two places: what calibrated or trained does not judge, whatever its name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from orilla_runtime.labelled.images import LabelledImages

TRAINED = ("train", "validation")
"""The parts of a split that the training has seen."""


def tensor_digest(tensor: NDArray[Any]) -> bytes:
    """Tells whether two pictures are the same to the model, though their files are not."""
    return hashlib.blake2b(tensor.tobytes(), digest_size=16).digest()


def trained_twins(data: LabelledImages, split: Mapping[str, Any] | None, judged: Sequence[int]) -> frozenset[int]:
    """Those of the indices `judged` whose file holds the same bytes as another that trained.

    Only files of the same size are read: a training set may be large.
    """
    seen = {path for part in TRAINED for path in (split or {}).get(part, ())}
    trained = {index for index, path in enumerate(data.paths) if path.as_posix() in seen} - set(judged)
    sizes = {_size(data.full_path(index)) for index in judged}
    known = {_digest(data.full_path(index)) for index in trained if _size(data.full_path(index)) in sizes} - {b""}
    return frozenset(index for index in judged if _digest(data.full_path(index)) in known) if known else frozenset()


def _size(path: Path) -> int:
    """Bytes; 0 where the file is not there, which is said where pictures are read."""
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _digest(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
    return b""
