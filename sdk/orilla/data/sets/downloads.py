"""Downloads of the named sets by Keras and by tensorflow-datasets, in a process of its own: both bring TensorFlow.

What they downloaded once stays where they keep it (`~/.keras/datasets`, `~/tensorflow_datasets`) and serves again.
"""

from __future__ import annotations

import importlib
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orilla.data.sets.arrays import array_pictures
from orilla.data.sets.unpacking import Picture, Told, Unpacked, folder_name, unpack
from orilla_runtime.errors import ConversionError, DataError

CONNECT_SECONDS = 15.0
"""How long a server may be silent."""

_LIMIT = 4 * 3600.0


def download_by_keras(
    name: str, target: Path, *, classes: Sequence[str], published: str, told: Told | None = None
) -> Unpacked:
    """Download with `keras.datasets`, which checks the sha256, and unpack into `target`.

    Raises:
        DataError: Keras is not installed, or the set cannot be downloaded; `published` names the files to give then.
    """
    _require("keras", name, "desk", published)
    with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
        arrays = Path(folder) / f"{name}.npz"
        _call("keras_job", {"name": name, "path": str(arrays), "published": published})
        return unpack(array_pictures(arrays, names=classes), target, told=told)


def download_by_tfds(name: str, target: Path, *, url: str, published: str) -> Unpacked:
    """Download with `tensorflow-datasets` and unpack into `target`; its JPEGs are kept as they are.

    Raises:
        DataError: it is not installed, or the set cannot be downloaded; `published` names the files to give then.
    """
    _require("tensorflow_datasets", name, "datasets", published)
    parameters = {"name": name, "target": str(target), "url": url, "published": published}
    done = _call("tfds_job", parameters)
    return Unpacked(Path(done["labels"]), int(done["pictures"]))


def keras_job(parameters: Mapping[str, Any], _folder: Path) -> None:
    """A worker's job: the set `name` as an `.npz` at `path`."""
    import numpy as np

    socket.setdefaulttimeout(CONNECT_SECONDS)  # Keras waits for a silent server forever
    datasets = importlib.import_module("keras.datasets")
    try:
        (x_train, y_train), (x_test, y_test) = getattr(datasets, parameters["name"]).load_data()
    except Exception as error:  # Keras raises Exception itself
        raise _unreachable(parameters["name"], str(error), parameters["published"]) from error
    np.savez(parameters["path"], x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def tfds_job(parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """A worker's job: unpack the set `name` into the folder `target`."""
    import importlib.resources.abc

    # Version 4.9 imports this package for old Pythons without requiring it; the standard library's own does the same.
    sys.modules.setdefault("importlib_resources", importlib.resources)
    import tensorflow_datasets as tfds

    name, published = parameters["name"], parameters["published"]
    builder = tfds.builder(name)
    if not builder.is_prepared():
        _check_reachable(name, parameters["url"], published)
        try:
            builder.download_and_prepare()
        except Exception as error:  # whatever its downloader and its reader of archives raise
            raise _unreachable(name, str(error), published) from error
    done = unpack(_examples(tfds, builder), Path(parameters["target"]))
    return {"labels": str(done.labels), "pictures": done.pictures}


def _examples(tfds: Any, builder: Any) -> Iterator[Picture]:
    """Each example with the bytes of its picture; a single part is no split, but all there is."""
    names = builder.info.features["label"].names
    coded = {"image": tfds.decode.SkipDecoding()}
    wanted = {"image": True, "label": True} | ({"species": True} if "species" in builder.info.features else {})
    decoders = tfds.decode.PartialDecoding(wanted, decoders=coded)
    for part in builder.info.splits:
        split = {"split": str(part)} if len(builder.info.splits) > 1 else {}
        for place, example in enumerate(tfds.as_numpy(builder.as_dataset(split=part, decoders=decoders))):
            label, content = names[int(example["label"])], bytes(example["image"])
            said = {"species": ("cat", "dog")[int(example["species"])]} if "species" in example else {}
            folders = [*split.values(), folder_name(label)]
            suffix = ".png" if content.startswith(b"\x89PNG") else ".jpg"
            yield Picture("/".join([*folders, f"{place:05}{suffix}"]), content, label, split | said)


def _require(package: str, name: str, extra: str, published: str) -> None:
    if find_spec(package) is None:
        raise DataError(
            f"{name} is downloaded by {package.replace('_', '-')}, which is not installed.",
            f"pip install 'orilla[{extra}]', or give the published files: {_from(name, published)}",
        )


def _call(job: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    from orilla_converters.worker import call

    try:
        return call(f"{__name__}:{job}", parameters, what=str(parameters["name"]), limit=_LIMIT)
    except ConversionError as error:
        said = error.message.replace("the conversion", "the download")
        raise DataError(said, f"{error.remedy} {_from(parameters['name'], parameters['published'])}") from error


def _check_reachable(name: str, url: str, published: str) -> None:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
            return
    except urllib.error.HTTPError:
        return  # There is a network; what the server has to say, the download will say.
    except OSError as error:
        raise _unreachable(name, f"{url}: {getattr(error, 'reason', error)}", published) from error


def _unreachable(name: str, reason: str, published: str) -> DataError:
    said = " ".join(reason.split())[:200]
    return DataError(
        f"{name} cannot be downloaded ({said}).",
        f"Connect this computer, or get the files elsewhere and give them: {_from(name, published)}",
    )


def _from(name: str, published: str) -> str:
    return f"orilla data get {name} --from {published}"
