"""Which pictures calibrate and which judge, and their tensors: no picture does both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.leakage import tensor_digest, trained_twins
from orilla_converters.tensor_file import TensorFile, write_tensors
from orilla_runtime.errors import DataError, SourceError
from orilla_runtime.labelled.images import LabelledImages
from orilla_runtime.preprocess import Preprocess, Preprocessor
from orilla_runtime.sources.picture import read_picture

MAX_JUDGED = 1000
"""More pictures make the interval of the accuracy little narrower and the conversion much longer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Indices into the pictures; `origin` is `split` (the training's own split) or `seed`."""

    calibration: tuple[int, ...]
    judged: tuple[int, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures as the model takes them. `images` are those that could be read, in the order of the tensors.

    digests: of the tensors. twins: paths of pictures that were left out because they are the same as others.
    """

    images: LabelledImages
    tensors: TensorFile
    unreadable: tuple[str, ...]
    digests: frozenset[bytes]
    twins: tuple[str, ...] = ()


def select(
    data: LabelledImages, split: Mapping[str, Any] | None, *, calibration: int, seed: int, max_judged: int = MAX_JUDGED
) -> Selection:
    """Choose the pictures; with the training's split, calibrate on its train and judge on its test pictures.

    Args:
        split: relative paths under `train`, `validation` and `test`, from the model's card; used where all of its train
            and test pictures are in `data`. Otherwise the choice is drawn with `seed`, and a test picture that is there
            still calibrates nothing.
        calibration: how many; at most half of what is drawn from.

    Raises:
        DataError: fewer than two pictures.
    """
    if len(data) < 2:
        raise DataError(
            f"{data.root} holds {len(data)} picture; a conversion needs at least two.",
            "One calibrates, another judges.",
        )
    places = {path.as_posix(): index for index, path in enumerate(data.paths)}
    known = {part: [places[path] for path in (split or {}).get(part, ()) if path in places] for part in _PARTS}
    whole = split is not None and all(len(known[part]) == len(split.get(part, ())) > 0 for part in ("train", "test"))
    if whole:
        chosen = stratified(data.class_ids, known["train"], calibration, seed)
        return Selection(tuple(chosen), _drawn(known["test"], max_judged, seed), "split")
    free = sorted(set(range(len(data))) - set(known["test"]))
    chosen = stratified(data.class_ids, free, min(calibration, max(1, len(data) // 2)), seed)
    rest = sorted(set(range(len(data))) - set(chosen))
    if not rest:
        raise DataError(f"{data.root}: no picture is left to judge by.", "Give more pictures.")
    return Selection(tuple(chosen), _drawn(rest, max_judged, seed), "seed")


_PARTS = ("train", "validation", "test")


def stratified(class_ids: NDArray[np.int64] | None, among: Sequence[int], count: int, seed: int) -> list[int]:
    """`count` of the indices `among`, as evenly over the classes as they allow, drawn with `seed`; sorted."""
    order = np.random.default_rng(seed).permutation(np.asarray(sorted(among), np.int64))
    if class_ids is None:
        return sorted(int(index) for index in order[:count])
    seen: dict[int, int] = {}
    turns = []
    for index in order:
        class_id = int(class_ids[index])
        seen[class_id] = seen.get(class_id, 0) + 1
        turns.append(seen[class_id])
    # A stable sort by turn takes one picture of each class, then a second of each, and so on.
    fair = order[np.argsort(turns, kind="stable")]
    return sorted(int(index) for index in fair[:count])


def _drawn(among: Sequence[int], most: int, seed: int) -> tuple[int, ...]:
    if len(among) <= most:
        return tuple(sorted(among))
    drawn = np.random.default_rng(seed + 1).permutation(np.asarray(sorted(among), np.int64))[:most]
    return tuple(sorted(int(index) for index in drawn))


def read_pictures(
    data: LabelledImages,
    indices: Sequence[int],
    preprocess: Preprocess,
    target: Path,
    read: Callable[[Path], NDArray[np.uint8]] = read_picture,
    but: frozenset[bytes] = frozenset(),
) -> Pictures:
    """Run the pictures through `Preprocess` into a file, one at a time; those that cannot be read are left out.

    but: digests of tensors that are left out too.

    Raises:
        DataError: none can be read, or none is left.
    """
    function = Preprocessor(preprocess)
    readable: list[int] = []
    unreadable: list[str] = []
    digests: set[bytes] = set()
    twins: list[str] = []

    def tensors() -> Iterator[NDArray[np.uint8]]:
        for index in indices:
            try:
                tensor = function(read(data.full_path(index)))
            except SourceError as error:
                unreadable.append(error.message)
                continue
            digest = tensor_digest(tensor)
            if digest in but:
                twins.append(data.paths[index].as_posix())
                continue
            digests.add(digest)
            readable.append(index)
            yield tensor

    height, width = preprocess.size
    file = write_tensors(target, tensors(), (height, width, preprocess.depth))
    if twins and not readable:
        raise DataError(
            f"{data.root}: the pictures that are to judge are the same as those that calibrate, {twins[0]} for one.",
            "Give more pictures, each once.",
        )
    if indices and not readable:
        raise DataError(f"None of the {len(indices)} pictures can be read; the first: {unreadable[0]}")
    return Pictures(data.subset(readable), file, tuple(unreadable), frozenset(digests), tuple(twins))


def read_both(
    data: LabelledImages, chosen: Selection, split: Mapping[str, Any] | None, preprocess: Preprocess, folder: Path
) -> tuple[Pictures, Pictures]:
    """The pictures that calibrate and those that judge; no picture, nor a copy of it, does both or trained and judges.

    Raises:
        DataError: none can be read, or none is left to judge.
    """
    calibration = read_pictures(data, chosen.calibration, preprocess, folder / "calibration.u8")
    trained = trained_twins(data, split, chosen.judged) if chosen.origin == "split" else frozenset()
    left = [index for index in chosen.judged if index not in trained]
    if not left:
        raise DataError(f"{data.root}: the test pictures are copies of those that trained.", "Split the data anew.")
    judged = read_pictures(data, left, preprocess, folder / "judged.u8", but=calibration.digests)
    copies = (*(data.paths[index].as_posix() for index in sorted(trained)), *judged.twins)
    return calibration, replace(judged, twins=copies)
