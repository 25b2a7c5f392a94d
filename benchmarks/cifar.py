"""ResNet8 of MLCommons Tiny on CIFAR-10: 100 pictures calibrate, 1,000 others judge; a Keras 2 file, raw pixels."""

from __future__ import annotations

import tempfile
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from benchmarks.results import artifact_rows, test_data, write
from orilla_converters.conversion import convert
from orilla_converters.recipe import FORMATS, Recipe
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle

PICTURES = 1100


def unpack(folder: Path) -> tuple[str, ...]:
    """Write the test pictures as they are, JPEG, into a folder for each class; the classes in their order."""
    with np.load(test_data() / "cifar10_subset.npz") as archive:
        data, places, labels = (archive[f"test_{name}"] for name in ("jpeg", "offsets", "labels"))
        classes = tuple(str(name) for name in archive["class_names"])
    for number, (start, end) in enumerate(islice(pairwise(places), PICTURES)):
        place = folder / classes[labels[number]]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}.jpg").write_bytes(data[start:end].tobytes())
    return classes


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classes = unpack(folder / "photos")
        convert(
            test_data() / "models" / "pretrainedResnet.h5",
            data=folder / "photos",
            output=folder / "resnet8.orilla",
            recipes=[Recipe(format_, precision) for format_ in FORMATS for precision in ("float32", "int8")],
            labels=classes,
            scale=1.0,
            offset=0.0,
            timing=False,
        )
        with open_bundle(folder / "resnet8.orilla") as bundle:
            manifest = bundle.manifest
        assert isinstance(manifest, Manifest)
    rows = artifact_rows(manifest)
    exact = {row["artifact"].rpartition(".")[2]: row["top1"] for row in rows if "float32" in row["artifact"]}
    for row in rows:
        row["points_lost"] = round((exact[row["artifact"].rpartition(".")[2]] - row["top1"]) * 100, 2)
    write("cifar", "ResNet8 of MLCommons Tiny on CIFAR-10", {}, rows)


if __name__ == "__main__":
    main()
