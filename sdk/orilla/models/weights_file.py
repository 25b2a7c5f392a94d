"""Weights out of a file into a model: what `keras.applications` publishes, what Keras saves, what Orilla trained.

Nothing in such a file is code, and nothing of it is trusted: numbers are read, by their places, and have to fit.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla_runtime.errors import DataError, UsageError

SUFFIXES = (".h5", ".keras")
MAX_WEIGHTS_BYTES = 4 * 1024**3
_ARCHIVED_WEIGHTS = "model.weights.h5"
_READ_ERRORS = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Stored:
    """The weights of one layer; `kind` is its class as files spell it, empty where the file tells no classes."""

    kind: str
    tensors: tuple[Any, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(tensor.shape) for tensor in self.tensors)


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a file that have weights, in the file's order, and the names of all, where it tells them."""

    stored: tuple[Stored, ...]
    names: frozenset[str]


def check_weights_file(path: str | Path) -> Path:
    """The path of a file that may hold weights; its inside is not looked at.

    Raises:
        UsageError: no such file, or one of another kind.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"weights={path} is not possible.", "Give imagenet, random, or a file: .weights.h5, .h5 or .keras."
        )
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.", "Give a .weights.h5, .h5 or .keras of the same net.")
    return path


@contextmanager
def opened_layers(path: Path) -> Iterator[Layers]:
    """The layers of a file; their tensors are read when they are asked for, while the file is open.

    Raises:
        DataError: the file is damaged, or holds no layers of weights.
    """
    import h5py

    try:
        with _as_hdf5(path) as plain, h5py.File(plain, "r") as file:
            group = file.get("model_weights", file)
            layers = _in_legacy_order(group) if "layer_names" in _attributes(group) else _in_containers(file)
            if not layers.stored:
                raise DataError(f"{path} holds no layers with weights.", "Give a .weights.h5, .h5 or .keras of a net.")
            yield layers
    except (zipfile.BadZipFile, *_READ_ERRORS) as error:
        raise DataError(
            f"{path}: its weights cannot be read ({_first_line(error)}).", "Fetch or save the file again."
        ) from error


@contextmanager
def _as_hdf5(path: Path) -> Iterator[Path]:
    """`path`, or what a `.keras` archive holds, unpacked for a while."""
    if path.suffix != ".keras":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="orilla-") as folder, zipfile.ZipFile(path) as archive:
        if archive.getinfo(_ARCHIVED_WEIGHTS).file_size > MAX_WEIGHTS_BYTES:
            raise ValueError(f"{_ARCHIVED_WEIGHTS} is larger than {MAX_WEIGHTS_BYTES >> 30} GiB")
        yield Path(archive.extract(_ARCHIVED_WEIGHTS, folder))


def _attributes(group: Any) -> set[str]:
    """The names of a group's lists; a long one is kept in pieces, `layer_names0`, `layer_names1`, …"""
    return {re.sub(r"\d+$", "", name) for name in group.attrs}


def _attribute(group: Any, name: str) -> list[str]:
    pieces = [name] if name in group.attrs else []
    while not pieces or (pieces[0] != name and f"{name}{len(pieces)}" in group.attrs):
        pieces.append(f"{name}{len(pieces)}")
    values = [value for piece in pieces if piece in group.attrs for value in group.attrs[piece]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _in_legacy_order(group: Any) -> Layers:
    """Keras 2's format: lists of names give the layers' order and that of their tensors."""
    names = _attribute(group, "layer_names")
    stored = []
    for name in names:
        layer = _inside(group, name)
        tensors = tuple(_numbers(_inside(layer, tensor)) for tensor in _attribute(layer, "weight_names"))
        if tensors:
            stored.append(Stored("", tensors))
    return Layers(tuple(stored), frozenset(names))


def _in_containers(file: Any) -> Layers:
    """Keras 3's format: `layers/conv2d_3/vars/0`, counted by class; of nested models the one with most layers."""
    import h5py

    places = ["layers"]
    if "layers" in file:
        file["layers"].visititems(
            lambda name, item: (
                places.append(f"layers/{name}")
                if isinstance(item, h5py.Group) and name.rpartition("/")[2] == "layers"
                else None
            )
        )
    found = [_container(_inside(file, place)) for place in places if place in file]
    return max(found, key=lambda layers: len(layers.stored), default=Layers((), frozenset()))


def _container(group: Any) -> Layers:
    counted, names = [], set()
    for name in group:
        layer = _inside(group, name)
        kind, number = _kind_and_number(name)
        if "vars" not in layer:
            continue
        values = _inside(layer, "vars")
        names.add(str(values.attrs.get("name", name)))
        tensors = tuple(_numbers(_inside(values, place)) for place in sorted(values, key=int))
        if tensors:
            counted.append((kind, number, Stored(kind, tensors)))
    return Layers(tuple(stored for _, _, stored in sorted(counted, key=lambda one: one[:2])), frozenset(names))


def _kind_and_number(name: str) -> tuple[str, int]:
    kind, _, number = name.rpartition("_")
    return (kind, int(number)) if kind and number.isdigit() else (name, 0)


def _inside(group: Any, name: str) -> Any:
    """An entry of the file itself: HDF5 can also point into other files.

    Raises:
        ValueError: the entry lies elsewhere.
    """
    import h5py

    here = group
    for part in name.strip("/").split("/"):
        link = here.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            raise ValueError(f"{name} does not lie in this file")  # noqa: TRY004 - the file is wrong, not a type
        here = here[part]
    return here


def _numbers(dataset: Any) -> Any:
    """A dataset whose numbers stand in this file.

    Raises:
        ValueError: they do not, or they are no numbers.
    """
    if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "fiu":
        raise ValueError(f"{dataset.name} holds no numbers of its own")
    return dataset


def assign(layers: Sequence[Any], file: Layers, path: Path, optional: str = "logits") -> None:
    """Give the Keras `layers` what the file has for them, by their order; a layer named `optional` only where it fits.

    What the file has beyond them, such as a classifier of other classes, is left.

    Raises:
        DataError: the file is of another net.
    """
    wanted = [layer for layer in layers if layer.weights]
    pairs = list(_paired(wanted, file.stored))
    for layer, stored in pairs:
        if stored is not None and stored.shapes == _shapes(layer):
            continue
        if layer.name == optional:
            continue
        found = "nothing" if stored is None else _shown(stored.shapes)
        raise DataError(
            f"{path} is of another net: {layer.name} takes {_shown(_shapes(layer))}, and it has {found}.",
            "Give the weights of the same net.",
        )
    read = [
        (layer, [_finite(tensor, layer, path) for tensor in stored.tensors])
        for layer, stored in pairs
        if stored is not None and stored.shapes == _shapes(layer)
    ]
    for layer, tensors in read:
        layer.set_weights(tensors)


def _paired(layers: Iterable[Any], stored: Sequence[Stored]) -> Iterator[tuple[Any, Stored | None]]:
    """Each layer with its place in the file: by the count of its class, or simply by the order."""
    by_kind: dict[str, list[Stored]] = {}
    for one in stored:
        by_kind.setdefault(one.kind, []).append(one)
    taken: dict[str, int] = {}
    for layer in layers:
        kind = _spelled(type(layer).__name__) if "" not in by_kind else ""
        place = taken.get(kind, 0)
        taken[kind] = place + 1
        here = by_kind.get(kind, [])
        yield layer, here[place] if place < len(here) else None


def _spelled(name: str) -> str:
    """A class as it is spelled in files: DepthwiseConv2D is depthwise_conv2d."""
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def _shapes(layer: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(weight.shape) for weight in layer.weights)


def _shown(shapes: Sequence[tuple[int, ...]]) -> str:
    shown = ["x".join(map(str, shape)) for shape in shapes[:4]]
    return " and ".join([*shown, "…"] if len(shapes) > 4 else shown)


def _finite(tensor: Any, layer: Any, path: Path) -> NDArray[np.float32]:
    values = np.asarray(tensor, np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: the weights of {layer.name} are not all numbers.", "Fetch or save the file again.")
    return values


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
