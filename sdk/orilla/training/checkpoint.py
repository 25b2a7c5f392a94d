"""A training that is not finished, as one file: `checkpoint.npz`, there whole or not at all.

`header` is JSON: the format's version, what the training was made of, the phases behind it, where the present one
stands, and the shapes and types of all arrays. Each other entry is a group of arrays as bytes, one behind the other.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.training.progress import EpochEnd
from orilla.training.standing import Fitted, Standing
from orilla_runtime.errors import DataError
from orilla_runtime.files import replaced

VERSION = 1
Arrays = Sequence[NDArray[Any]]
_DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training at one moment.

    identity: what it was made of, as plain JSON: one that differs is another training. behind: the phases that are
    finished. groups: arrays by name: `state` of the model, `optimizer`, `metrics` of the epoch, weights of the `best`
    epoch, and weights `before` the present phase.
    """

    identity: Mapping[str, Any]
    behind: tuple[Fitted, ...]
    standing: Standing
    groups: Mapping[str, Arrays]

    @property
    def history(self) -> tuple[EpochEnd, ...]:
        """Every epoch of every phase so far."""
        return tuple(end for fitted in self.behind for end in fitted.history) + self.standing.history


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file in place of an older one.

    Raises:
        SinkError: it cannot be written; an older one is untouched.
    """
    header = {
        "version": VERSION,
        "identity": dict(checkpoint.identity),
        "behind": [asdict(fitted) for fitted in checkpoint.behind],
        "standing": asdict(checkpoint.standing),
        "arrays": {
            name: [[list(array.shape), array.dtype.str] for array in group] for name, group in checkpoint.groups.items()
        },
    }
    packed = {name: _bytes(b"".join(array.tobytes() for array in group)) for name, group in checkpoint.groups.items()}
    with replaced(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, header=_bytes(json.dumps(header).encode()), **packed)


def read_checkpoint(path: Path) -> Checkpoint:
    """What the file says.

    Raises:
        DataError: it is damaged, or of another version of the format.
    """
    try:
        with np.load(path, allow_pickle=False) as entries:
            header = json.loads(entries["header"].tobytes())
            version = header["version"]
            groups = (
                {}
                if version != VERSION
                else {name: _unpacked(entries[name].tobytes(), kinds) for name, kinds in header["arrays"].items()}
            )
        if version == VERSION:
            behind = tuple(Fitted(_ends(each["history"]), EpochEnd(**each["best"])) for each in header["behind"])
            return Checkpoint(header["identity"], behind, _standing(header["standing"]), groups)
    except _DAMAGES as error:
        raise DataError(f"{path} is damaged ({error}).", "Leave out --resume to begin anew.") from error
    raise DataError(f"{path} is of version {version}; this Orilla reads {VERSION}.", "Leave out --resume.")


def _standing(values: dict[str, Any]) -> Standing:
    best = None if values["best"] is None else EpochEnd(**values["best"])
    return Standing(**{**values, "history": _ends(values["history"]), "best": best})


def _ends(values: Sequence[dict[str, Any]]) -> tuple[EpochEnd, ...]:
    return tuple(EpochEnd(**each) for each in values)


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _unpacked(data: bytes, kinds: Sequence[tuple[Sequence[int], str]]) -> Arrays:
    arrays, start = [], 0
    for shape, kind in kinds:
        count = int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(data, np.dtype(kind), count, start).reshape(shape))
        start += arrays[-1].nbytes
    if start != len(data):
        raise ValueError(f"{len(data) - start} bytes too many")
    return arrays
