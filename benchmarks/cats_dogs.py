"""Transfer learning on cats and dogs: judged in five folds, pooled, and converted.

A fifth of the 1,199 photos is 240, and by chance two more or two fewer of them are right: so each fifth is held out
once, and what is right is counted over all. The artifacts are of the split that `orilla train` makes unasked.
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from pathlib import Path

import orilla
from benchmarks.folds import SEED, write_folds
from benchmarks.results import artifact_rows, test_data, write
from orilla.data.opening import open_data
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.labelled.scores import wilson

NET = "efficientnet_lite0"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(test_data() / "cats_dogs_180.zip") as archive:
            archive.extractall(folder / "photos")
        photos = next(path.parent for path in (folder / "photos").rglob("cat") if path.is_dir())
        start = time.monotonic()
        orilla.train(photos, output=folder / "pets.keras", model=NET, seed=SEED)
        minutes = (time.monotonic() - start) / 60
        orilla.convert(folder / "pets.keras", data=photos, output=folder / "pets.orilla", jobs=2)
        with open_bundle(folder / "pets.orilla") as bundle:
            manifest = bundle.manifest
        assert isinstance(manifest, Manifest)
        metrics = manifest.artifacts[0].metrics
        assert metrics is not None
        assert metrics.keras_accuracy is not None
        figures = {
            "minutes_of_training": round(minutes, 2),
            "keras_top1": round(metrics.keras_accuracy.top1, 4),
            **in_folds(photos, folder),
        }
        write("cats_dogs", "Cats and dogs, EfficientNet-Lite0 by transfer", figures, artifact_rows(manifest))


def in_folds(photos: Path, folder: Path) -> dict[str, object]:
    """Top-1 of the Keras model on every fifth, by the same recipe, and on all of them."""
    right, counts = [], []
    for data, held_out in write_folds(open_data(photos), folder):
        trained = orilla.train(data, output=data.with_suffix(".keras"), model=NET, seed=SEED, record=False)
        assert trained.test.n == held_out
        right.append(round(trained.test.top1 * held_out))
        counts.append(held_out)
    total, n = sum(right), sum(counts)
    low, high = wilson(total, n)
    return {
        "right_in_each_fifth": ", ".join(f"{one} of {all_}" for one, all_ in zip(right, counts, strict=True)),
        "keras_top1_in_five_folds": f"{total / n:.4f} ({low:.4f} to {high:.4f}), {total} of {n}",
    }


if __name__ == "__main__":
    main()
