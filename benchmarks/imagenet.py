"""EfficientNet-Lite0 on 500 ImageNet photos: 100 calibrate, the other 400 judge, centre crop of 0.875."""

from __future__ import annotations

import csv
import tempfile
import time
import zipfile
from pathlib import Path

import orilla
from benchmarks.results import artifact_rows, test_data, write
from orilla_runtime.bundle.reader import open_bundle


def unpack(folder: Path) -> Path:
    """Unpack the photos and write the CSV that Orilla reads: path and class id."""
    with zipfile.ZipFile(test_data() / "imagenet_samples_256.zip") as archive:
        archive.extractall(folder)
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["index"]) for row in csv.DictReader(file)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class_id"), *rows])
    return folder / "photos.csv"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = unpack(folder)
        start = time.monotonic()
        orilla.convert("efficientnet_lite0", data=photos, output=folder / "lite0.orilla", calibration=100, jobs=2)
        minutes = (time.monotonic() - start) / 60
        with open_bundle(folder / "lite0.orilla") as bundle:
            manifest = bundle.manifest
        metrics = manifest.artifacts[0].metrics
        assert metrics is not None
        assert metrics.keras_accuracy is not None
        figures = {"minutes_of_conversion": round(minutes, 2), "keras_top1": round(metrics.keras_accuracy.top1, 4)}
        write("imagenet", "EfficientNet-Lite0 on 400 ImageNet photos", figures, artifact_rows(manifest))


if __name__ == "__main__":
    main()
