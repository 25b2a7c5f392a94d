"""The samples of a model of any inputs: those that calibrate and those that judge, one file an input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orilla_converters.calibration import MAX_JUDGED, read_both, select
from orilla_converters.ports import InputPort
from orilla_converters.raw.arrays import ArrayReader, open_arrays
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.labelled.reading import read_labelled
from orilla_runtime.preprocess import Preprocess

ARRAYS = ".npz"


@dataclass(frozen=True, slots=True)
class Samples:
    """By input: what calibrates, and what judges. `images`: the judged pictures where a folder of them was given.

    `notes`: what was left out, in words.
    """

    calibration: Mapping[str, TensorFile]
    judged: Mapping[str, TensorFile]
    images: LabelledImages | None
    notes: tuple[str, ...] = ()

    @property
    def calibrated_on(self) -> int:
        """How many samples calibrate."""
        return _count(self.calibration)

    @property
    def judged_on(self) -> int:
        """How many samples judge."""
        return _count(self.judged)


def _count(files: Mapping[str, TensorFile]) -> int:
    return len(next(iter(files.values())))


def read_samples(
    data: str | Path,
    inputs: Sequence[InputPort],
    preprocess: Mapping[str, Preprocess],
    *,
    calibration: int,
    seed: int,
    folder: Path,
) -> Samples:
    """Read a folder of pictures, where one picture is all that the model takes, else an `.npz` with an array an input.

    Args:
        preprocess: of the inputs that are pictures.
        calibration: how many samples calibrate, at most half of them; at most 1,000 others judge.
        folder: where the tensors go.

    Raises:
        DataError: samples that do not fit the inputs, fewer than two, or none left to judge.
        UsageError: the wrong one of the two kinds.
    """
    path = Path(data)
    alone = len(inputs) == 1 and len(preprocess) == 1
    if path.suffix == ARRAYS and not alone:
        return _of_arrays(path, inputs, calibration, seed, folder)
    if path.suffix == ARRAYS or not alone:
        taken = ", ".join(_described(port) for port in inputs)
        wanted = "a folder of pictures" if alone else f"an {ARRAYS} file with an array for each"
        raise UsageError(f"The model takes {taken}; {path} does not hold that.", f"Give {wanted} as --data.")
    (made,) = preprocess.values()
    return _of_pictures(read_labelled(path, labelled=False), inputs[0].name, made, calibration, seed, folder)


def _described(port: InputPort) -> str:
    sides = "x".join(map(str, port.shape)) or "scalar"
    return f"{port.name} {'uint8' if port.normalization is not None else 'float32'}[{sides}]"


def _of_pictures(
    images: LabelledImages, name: str, preprocess: Preprocess, calibration: int, seed: int, folder: Path
) -> Samples:
    chosen = select(images, None, calibration=calibration, seed=seed)
    given, judged = read_both(images, chosen, None, preprocess, folder)
    notes = []
    left_out = (*given.unreadable, *judged.unreadable)
    if left_out:
        notes.append(f"{len(left_out)} pictures cannot be read and were left out; the first: {left_out[0]}")
    if judged.twins:
        notes.append(f"{len(judged.twins)} pictures do not judge: copies of others that calibrated.")
    return Samples({name: given.tensors}, {name: judged.tensors}, judged.images, tuple(notes))


def _of_arrays(path: Path, inputs: Sequence[InputPort], calibration: int, seed: int, folder: Path) -> Samples:
    """Two passes over the file, one sample at a time: the first reads and judges every value, the second copies."""
    with open_arrays(path, inputs) as arrays:
        digests = _digests(arrays, inputs)
        count = len(digests)
        if count < 2:
            raise DataError(f"{path} holds {count} sample; a conversion needs at least two.", "One calibrates.")
        order = np.random.default_rng(seed).permutation(count)
        calibrating = set(map(int, order[: min(calibration, max(1, count // 2))]))
        known = {digests[index] for index in calibrating}
        rest = [int(index) for index in order if int(index) not in calibrating]
        judging = [index for index in rest if digests[index] not in known]
        if not judging:
            raise DataError(f"{path}: the samples that are to judge are the same as those that calibrate.")
        twins = len(rest) - len(judging)
        notes = (f"{twins} samples do not judge: copies of others that calibrated.",) if twins else ()
        given = _copied(arrays, inputs, calibrating, folder, "calibration")
        judged = _copied(arrays, inputs, set(judging[:MAX_JUDGED]), folder, "judged")
    return Samples(given, judged, None, notes)


def _digests(arrays: Mapping[str, ArrayReader], inputs: Sequence[InputPort]) -> list[bytes]:
    """One for each sample, of all its inputs."""
    digests: list[Any] = []
    for port in inputs:
        for place, row in enumerate(arrays[port.name]):
            if place == len(digests):
                digests.append(hashlib.sha256())
            digests[place].update(row.tobytes())
    return [one.digest() for one in digests]


def _copied(
    arrays: Mapping[str, ArrayReader], inputs: Sequence[InputPort], chosen: set[int], folder: Path, name: str
) -> dict[str, TensorFile]:
    return {
        port.name: write_tensors(
            folder / f"{name}-{port.name}.bin", _chosen(arrays[port.name], chosen), port.shape, arrays[port.name].dtype
        )
        for port in inputs
    }


def _chosen(rows: Iterable[Any], chosen: set[int]) -> Iterable[Any]:
    return (row[np.newaxis] for place, row in enumerate(rows) if place in chosen)
