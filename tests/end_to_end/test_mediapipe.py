"""MediaPipe Tasks, unmodified and in an environment of its own, runs what Orilla writes: same classes, same scores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
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
PRECISIONS = ("float32", "float16", "dynamic", "int8")


@pytest.fixture(scope="module")
def mediapipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with nothing but MediaPipe."""
    folder = tmp_path_factory.mktemp("mediapipe")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "mediapipe==1.2.2"]
    subprocess.run(install, check=True, timeout=600)
    return python


@dataclass(frozen=True)
class Bench:
    """A bundle of TFLite artifacts, and pictures for it."""

    bundle: Path
    pictures: tuple[Path, ...]


@pytest.fixture(scope="module")
def photos(unzipped: Callable[[str], Path]) -> Path:
    """A table of the ImageNet photos: path and class."""
    folder = unzipped("imagenet_samples_256.zip")
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["file"], row["index"]) for row in csv.DictReader(file)]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class_id"), *rows])
    return folder / "photos.csv"


def listed(table: Path) -> tuple[Path, ...]:
    with table.open(newline="", encoding="utf-8") as file:
        return tuple(table.parent / row["path"] for row in csv.DictReader(file))[::2][:PHOTOS]


@pytest.fixture(scope="module")
def imagenet(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """EfficientNet-Lite0 as it comes, of 1,000 classes."""
    path = tmp_path_factory.mktemp("lite0") / "lite0.orilla"
    orilla.convert("efficientnet_lite0", data=photos, output=path, formats=["tflite"], precisions=PRECISIONS)
    return Bench(path, listed(photos))


@pytest.fixture(scope="module")
def cats_dogs(unzipped: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """EfficientNet-Lite0 trained on two classes for two epochs: enough to tell one from the other."""
    folder = tmp_path_factory.mktemp("cats-dogs")
    data = next(unzipped("cats_dogs_180.zip").rglob("cat")).parent
    orilla.train(data, output=folder / "pets.keras", model="efficientnet_lite0", epochs=2)
    path = folder / "pets.orilla"
    orilla.convert(folder / "pets.keras", data=data, output=path, formats=["tflite"], precisions=PRECISIONS)
    pictures = [sorted((data / name).iterdir())[: PHOTOS // 2] for name in ("cat", "dog")]
    return Bench(path, (*pictures[0], *pictures[1]))


def classify(python: Path, model: Path, pictures: NDArray[np.uint8]) -> list[list[tuple[int, str, float]]]:
    stored = model.parent / "pictures.npy"
    np.save(stored, pictures)
    command = [python, HERE / "mediapipe_classify.py", model, stored]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [[(index, label, score) for index, label, score in row] for row in json.loads(done.stdout)]


def tensors(model: Model, pictures: tuple[Path, ...]) -> NDArray[np.uint8]:
    """The pictures, cut to the model's size by `Preprocess`, RGB [n, height, width, 3]."""
    assert model.preprocess is not None
    cut = replace(model.preprocess, dtype="uint8", layout="NHWC", scale=(1.0,), offset=(0.0,), channels="rgb")
    return np.concatenate([cut(read_picture(path)) for path in pictures])


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


@pytest.mark.parametrize("name", ["imagenet", "cats_dogs"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_artifact_of_orilla(
    name: str, precision: str, mediapipe: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bench: Bench = request.getfixturevalue(name)
    with open_bundle(bench.bundle) as bundle:
        export_artifact(bundle, tmp_path / "app", f"tflite:{precision}")
    bare = tmp_path / "app" / "model.tflite"
    with orilla.load(bench.bundle, artifact=f"tflite:{precision}") as whole:
        pictures = tensors(whole, bench.pictures)
    # `crop` would cut the cut picture again.
    with orilla.load(bare, top=1000) as model:
        same, difference = compare(model, classify(mediapipe, bare, pictures), pictures)
    assert same >= 0.99
    assert difference <= 0.02


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_orilla_annotated(
    name: str, shared_data: Path, photos: Path, mediapipe: Path, tmp_path: Path
) -> None:
    models = shared_data / "models"
    path = tmp_path / "annotated.tflite"
    annotate(models / name, output=path, labels=models / "imagenet_labels.txt", mean=[127.5], std=[127.5] * 3)
    with orilla.load(path, top=1001) as model:
        pictures = tensors(model, listed(photos))
        same, difference = compare(model, classify(mediapipe, path, pictures), pictures, ties=True)
    assert same >= 0.99
    assert difference <= 0.02
