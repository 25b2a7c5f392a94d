"""The sets that everybody knows, by name: downloaded once, or made from the files that their authors publish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orilla.data.sets.arrays import array_pictures
from orilla.data.sets.cifar import cifar_pictures
from orilla.data.sets.downloads import download_by_keras, download_by_tfds
from orilla.data.sets.idx import idx_files, idx_pictures
from orilla.data.sets.photo_sets import cat_dog_pictures, flower_pictures, pet_pictures
from orilla.data.sets.unpacking import FORMAT, LABELS, Picture, Told, Unpacked, data_cache, remove_stale, unpack
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import read_labelled
from orilla_runtime.sources.picture import read_file

_DIGITS = tuple("0123456789")
_FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True, slots=True)
class NamedSet:
    """One of the sets.

    megabytes: of its download. published: the files that `--from` takes. open_files: makes pictures of those files.
    classes: the names of the numbers in arrays, else empty. url: of tensorflow-datasets' download, else empty.
    """

    name: str
    megabytes: int
    published: str
    open_files: Callable[[Path], Iterator[Picture]]
    classes: tuple[str, ...] = ()
    url: str = ""

    @property
    def photos(self) -> bool:
        """Whether it is a set of photos from the web, some of which are damaged."""
        return bool(self.url)


def _of_arrays(names: tuple[str, ...], file: str) -> Callable[[Path], Iterator[Picture]]:
    """An `.npz`, the folder of one called `file`, or idx files: their folder or one of them."""

    def pictures(source: Path) -> Iterator[Picture]:
        folder = source if source.is_dir() else source.parent
        if source.is_dir() and (source / file).is_file():
            return array_pictures(source / file, names=names)
        if source.suffix == ".npz":
            return array_pictures(source, names=names)
        if not idx_files(folder):
            raise DataError(
                f"{source} is no .npz, and {folder} does not hold the idx files.",
                f"Give {file}, or the folder of train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-….",
            )
        return idx_pictures(folder, names)

    return pictures


def _cifar(source: Path) -> Iterator[Picture]:
    return array_pictures(source, names=_CIFAR) if source.suffix == ".npz" else cifar_pictures(source, _CIFAR)


_SETS = (
    NamedSet("mnist", 11, "mnist.npz", _of_arrays(_DIGITS, "mnist.npz"), _DIGITS),
    NamedSet("fashion_mnist", 31, "FOLDER-OF-IDX-FILES", _of_arrays(_FASHION, "fashion_mnist.npz"), _FASHION),
    NamedSet("cifar10", 170, "cifar-10-python.tar.gz", _cifar, _CIFAR),
    NamedSet(
        "oxford_iiit_pet",
        811,
        "FOLDER-OF-images.tar.gz-AND-annotations.tar.gz",
        pet_pictures,
        url="https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
    ),
    NamedSet(
        "cats_vs_dogs",
        825,
        "kagglecatsanddogs_5340.zip",
        cat_dog_pictures,
        url="https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
        "kagglecatsanddogs_5340.zip",
    ),
    NamedSet(
        "tf_flowers",
        229,
        "flower_photos.tgz",
        flower_pictures,
        url="https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    ),
)
NAMED: Mapping[str, NamedSet] = {each.name: each for each in _SETS}


def named_labels(name: str, *, told: Told | None = None) -> Path:
    """The `labels.csv` of a named set in the user's cache, downloaded where it is not there yet.

    Raises:
        UsageError: no such set. DataError: it can neither be found nor downloaded.
    """
    labels = _cache_of(name) / LABELS
    if not labels.is_file():
        done = get_named(name, told=told)
        if done.damaged:
            logging.getLogger(__name__).warning("%s: %d damaged pictures were left out.", name, len(done.damaged))
    return labels


def get_named(
    name: str, into: str | Path | None = None, *, source: str | Path | None = None, told: Told | None = None
) -> Unpacked:
    """Write a named set as files with a `labels.csv`.

    Args:
        into: a new or empty folder; without one the user's cache, where `open_data(name)` finds it from then on.
        source: the published files; without them the set comes from the cache, or is downloaded.

    Raises:
        UsageError: no such set. DataError: it can neither be found nor downloaded, or the files are not in order.
    """
    cache = _cache_of(name)
    wanted = NAMED[name]
    target = cache if into is None else Path(into)
    remove_stale(cache.parent)
    if source is None and (cache / LABELS).is_file():
        if into is None:
            return Unpacked(cache / LABELS, len(read_labelled(cache / LABELS)))
        return unpack(_of_cache(cache / LABELS), target, told=told)
    if source is not None:
        pictures = _of_source(wanted, Path(source))
        return unpack(pictures, target, check=wanted.photos, replace=into is None, told=told)
    # The first use of a set may take minutes and goes out to the network: that must not happen in silence.
    logging.getLogger(__name__).warning("%s is not in the cache: getting it, %d MB.", name, wanted.megabytes)
    if wanted.photos:
        return download_by_tfds(name, target, url=wanted.url, published=wanted.published)
    return download_by_keras(name, target, classes=wanted.classes, published=wanted.published, told=told)


def _cache_of(name: str) -> Path:
    if name not in NAMED:
        raise UsageError(f"There is no set called {name!r}.", f"Orilla knows {', '.join(NAMED)}.")
    return data_cache() / f"{name}-{FORMAT}"


def _of_source(wanted: NamedSet, source: Path) -> Iterator[Picture]:
    try:
        there = source.exists()
    except (OSError, ValueError):  # a NUL in the name, or one that is too long
        there = False
    if not there:
        raise DataError(f"{source}: there is no such file or folder.", f"{wanted.name} is {wanted.published}.")
    return wanted.open_files(source)


def _of_cache(labels: Path) -> Iterator[Picture]:
    images = read_labelled(labels)
    for place, path in enumerate(images.paths):
        columns = {name: values[place] for name, values in images.columns.items()}
        yield Picture(path.as_posix(), read_file(images.full_path(place)), images.label(place), columns)
