"""The Predictor gives what a call of the model gives, batch by batch, also behind a pickle."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla_runtime.errors import ModelError, UsageError
from orilla_runtime.model import load
from orilla_runtime.predictor import Predictor
from orilla_runtime.sources.picture import read_picture


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"


@pytest.fixture(scope="module")
def photos(unzipped: Callable[[str], Path]) -> list[Path]:
    return sorted(unzipped("imagenet_samples_256.zip").rglob("*.jp*g"))[:6]


@pytest.fixture(scope="module")
def labels(model: Path, photos: list[Path]) -> list[str]:
    with load(model) as loaded:
        return [loaded(read_picture(photo)).top.label for photo in photos]


def test_paths_bytes_and_pixels_give_the_labels_of_single_calls(
    model: Path, photos: list[Path], labels: list[str]
) -> None:
    images = [read_picture(photo) for photo in photos]
    batches = {
        "path": np.array([str(photo) for photo in photos]),
        "bytes": np.array([photo.read_bytes() for photo in photos], dtype=object),
        "image": images,
    }
    predictor = Predictor(model)
    for column, values in batches.items():
        found = predictor({column: values, "id": np.arange(len(photos))})
        assert found["label"].tolist() == labels
        assert not any(found["error"])
        assert found["id"].tolist() == list(range(len(photos)))
        assert (column in found) == (column == "path")
    as_rgb = [np.ascontiguousarray(image[:, :, ::-1]) for image in images]
    assert Predictor(model, colours="rgb")({"image": as_rgb})["label"].tolist() == labels
    predictor.close()


def test_a_pickled_predictor_is_small_and_works_where_it_arrives(
    model: Path, photos: list[Path], labels: list[str]
) -> None:
    predictor = Predictor(model)
    batch = {"path": [str(photo) for photo in photos]}
    predictor(batch)
    sent = pickle.dumps(predictor)
    assert len(sent) < 2000
    assert pickle.loads(sent)(batch)["label"].tolist() == labels


def test_rows_that_are_no_pictures_are_errors_of_their_rows(
    model: Path, photos: list[Path], labels: list[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    paths = [str(tmp_path / "notes.txt"), str(photos[0]), str(tmp_path / "none.jpg")]
    found = Predictor(model)({"path": paths})
    assert found["label"].tolist() == ["", labels[0], ""]
    assert found["class_id"].tolist()[::2] == [-1, -1]
    assert np.isnan(found["score"][[0, 2]]).all()
    assert all(path in error for path, error in zip(paths[::2], found["error"][::2], strict=True))
    wrong = Predictor(model)({"image": [np.zeros((4, 4, 7), np.uint8), np.zeros((4, 4), np.float32)]})
    assert all(wrong["error"])


def test_a_predictor_is_made_without_its_model_and_says_at_the_first_call_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"TFL3 not really")
    predictor = Predictor(tmp_path / "broken.tflite")
    image = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    with pytest.raises(ModelError):
        predictor({"bytes": [image]})


def test_wrong_batches_and_options_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="no bytes or path or image"):
        Predictor(model)({"text": ["a"]})
    with pytest.raises(UsageError, match="different lengths"):
        Predictor(model)({"path": ["a", "b"], "id": [1]})
    with pytest.raises(UsageError, match="colours"):
        Predictor(model, colours="hsv")  # type: ignore[arg-type]
