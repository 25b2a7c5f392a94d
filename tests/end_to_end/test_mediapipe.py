"""MediaPipe Tasks, unmodified and in an environment of its own, runs what Orilla writes: same classes, same scores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import orilla
from orilla_converters.annotate import annotate
from orilla_runtime.bundle.export import export_artifact
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.model import Model
from orilla_runtime.sources.picture import read_picture

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PHOTOS = 200
FOREIGN = (
    "mobilenet_v1_0.25_224_1_metadata_1.tflite",
    "mobilenet_v1_0.25_224_quant_without_subgraph_metadata.tflite",
)
PRECISIONS = ("float32", "float16", "int8")


@pytest.fixture(scope="module")
def mediapipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with nothing but MediaPipe."""
    folder = tmp_path_factory.mktemp("mediapipe")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "mediapipe==1.2.2"]
    subprocess.run(install, check=True, timeout=600)
    return python


@pytest.fixture(scope="module")
def photos(unzipped: Callable[[str], Path]) -> Path:
    """A table of the photos: path and class."""
    folder = unzipped("imagenet_samples_256.zip")
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["index"]) for row in csv.DictReader(file)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class_id"), *rows])
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def lite0(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EfficientNet-Lite0 of ImageNet, as a bundle of TFLite artifacts."""
    path = tmp_path_factory.mktemp("lite0") / "lite0.orilla"
    orilla.convert("efficientnet_lite0", data=photos, output=path, formats=["tflite"], precisions=PRECISIONS)
    return path


def classify(python: Path, model: Path, pictures: NDArray[np.uint8]) -> list[list[tuple[int, str, float]]]:
    stored = model.parent / "pictures.npy"
    np.save(stored, pictures)
    command = [python, HERE / "mediapipe_classify.py", model, stored]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [[(index, label, score) for index, label, score in row] for row in json.loads(done.stdout)]


def tensors(model: Model, photos: Path) -> Iterator[NDArray[np.uint8]]:
    """The photos, cut to the model's size by `Preprocess`, RGB."""
    assert model.preprocess is not None
    cut = replace(model.preprocess, dtype="uint8", layout="NHWC", scale=(1.0,), offset=(0.0,), channels="rgb")
    with photos.open(newline="", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::2]
    for path in paths[:PHOTOS]:
        yield cut(read_picture(photos.parent / path))[0]


def compare(
    model: Model, found: list[list[tuple[int, str, float]]], pictures: NDArray[np.uint8], *, ties: bool = False
) -> tuple[float, float]:
    """Share of the pictures with the same best class, and the largest difference of a score.

    `ties`: any of the classes that share the best score counts; MediaPipe and Orilla order them differently.
    """
    same, difference = 0, 0.0
    for row, picture in zip(found, pictures, strict=True):
        # A picture of the tensor's size passes Preprocess as it is.
        scores = np.zeros(len(model.labels))
        for prediction in model(np.ascontiguousarray(picture[:, :, ::-1])).predictions:
            scores[prediction.class_id] = prediction.score
        best = row[0][0]
        same += scores[best] == scores.max() if ties else best == int(scores.argmax())
        assert all(label == model.labels[index] for index, label, _ in row)
        difference = max(difference, *(abs(score - scores[index]) for index, _, score in row))
    return same / len(found), difference


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_artifact_of_orilla(precision: str, lite0: Path, photos: Path, mediapipe: Path, tmp_path: Path) -> None:
    with open_bundle(lite0) as bundle:
        export_artifact(bundle, tmp_path / "app", f"tflite:{precision}")
    bare = tmp_path / "app" / "model.tflite"
    with orilla.load(lite0, artifact=f"tflite:{precision}", top=1000) as whole:
        pictures = np.stack(list(tensors(whole, photos)))
    # `crop` would cut the cut picture again.
    with orilla.load(bare, top=1000) as model:
        same, difference = compare(model, classify(mediapipe, bare, pictures), pictures)
    assert same >= 0.99
    assert difference <= 0.02


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v1_0.25_224_1_metadata_1.tflite", "mobilenet_v1_0.25_224_quant_without_subgraph_metadata.tflite"],
)
def test_a_file_that_orilla_annotated(
    name: str, shared_data: Path, photos: Path, mediapipe: Path, tmp_path: Path
) -> None:
    models = shared_data / "models"
    path = tmp_path / "annotated.tflite"
    labels = models / "imagenet_labels.txt"
    annotate(models / name, output=path, labels=labels, mean=[127.5], std=[127.5, 127.5, 127.5])
    with orilla.load(path, top=1001) as model:
        pictures = np.stack(list(tensors(model, photos)))
        same, difference = compare(model, classify(mediapipe, path, pictures), pictures, ties=True)
    assert same >= 0.99
    assert difference <= 0.02
