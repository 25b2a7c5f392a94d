"""What lies beside a model: history, recipe, logs that TensorBoard reads, and a picture of what the model sees."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.zoo import MODELS
from orilla.training import TrainResult, train
from orilla.training.sharpness import fold
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import SinkError
from tests.sdk.training import tiny

RECIPE: dict[str, Any] = {
    "model": "tiny",
    "epochs": 2,
    "image_size": 8,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "class_weights": "balanced",
    "augmentation": "flip,rotation=10",
    "dropout": 0.3,
    "precision": "mixed_bfloat16",
}


@dataclass(frozen=True)
class Trained:
    data: Path
    result: TrainResult

    @property
    def folder(self) -> Path:
        return self.result.path.parent / "m.training"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training with everything switched on."""
    folder = tmp_path_factory.mktemp("neighbour")
    data = tiny.draw_stripes(folder / "stripes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "tiny", tiny.ENTRIES["tiny"])  # type: ignore[misc]
        return Trained(data, train(data, output=folder / "m.keras", **RECIPE))


def test_the_folder_holds_what_it_says(trained: Trained) -> None:
    names = {path.name for path in trained.folder.iterdir()}
    assert names == {"augmented.png", "history.csv", "recipe.json", "split.csv", "tensorboard"}


def test_history_has_every_epoch(trained: Trained) -> None:
    with (trained.folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(trained.result.history) == 2
    for row, end in zip(rows, trained.result.history, strict=True):
        assert row["phase"] == end.phase
        assert float(row["val_loss"]) == end.val_loss
        assert float(row["val_balanced"]) == end.val_balanced


def test_the_recipe_is_enough_to_train_again(trained: Trained) -> None:
    recipe = json.loads((trained.folder / "recipe.json").read_text())
    assert recipe["recipe"]["augmentation"] == {**recipe["recipe"]["augmentation"], "flip": True, "rotation": 10.0}
    assert {name: recipe["recipe"][name] for name in RECIPE if name in recipe["recipe"] and name != "augmentation"} == {
        name: value for name, value in RECIPE.items() if name not in {"model", "image_size", "augmentation"}
    }
    assert recipe["model"] == "tiny"
    assert recipe["preprocess"]["size"] == [8, 8]
    assert recipe["data"] == str(trained.data)


def test_tensorboard_reads_the_logs(trained: Trained) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for run, tag, field in (
        ("train", "epoch_loss", "loss"),
        ("train", "epoch_learning_rate", "learning_rate"),
        ("validation", "epoch_accuracy", "val_accuracy"),
        ("validation", "epoch_balanced_accuracy", "val_balanced"),
    ):
        events = EventAccumulator(str(trained.folder / "tensorboard" / run))
        events.Reload()
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        expected = [(number, asdict(end)[field]) for number, end in enumerate(trained.result.history, start=1)]
        assert [step for step, _ in found] == [step for step, _ in expected]
        np.testing.assert_allclose([value for _, value in found], [value for _, value in expected], rtol=1e-6)


def test_the_sheet_shows_pictures_and_their_changes(trained: Trained) -> None:
    sheet = cv2.imread(str(trained.folder / "augmented.png"))
    assert sheet is not None
    height, width = sheet.shape[:2]
    assert (height, width) == (22 + 8 * 100 + 4, 7 * 100 + 4)
    tiles = [[sheet[22 + row * 100 :][:96, 4 + column * 100 :][:, :96] for column in range(7)] for row in range(8)]
    assert all(tile.std() > 5 for row in tiles for tile in row)
    assert all(not np.array_equal(row[1], row[2]) for row in tiles)


def test_nothing_of_training_is_in_the_model(trained: Trained) -> None:
    keras, _ = keras_and_tensorflow()
    model = keras.saving.load_model(trained.result.path)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert [layer.name for layer in model.layers] == [
        layer.name for layer in tiny.build_tiny(image_size=8, depth=3, classes=2).layers
    ]
    assert model.get_layer("dropout").rate == 0.3
    assert not getattr(model, "compiled", False)
    assert any("mixed_bfloat16" in note for note in trained.result.notes)
    assert keras.config.dtype_policy().name == "float32"


def test_a_temperature_changes_scores_and_no_answer() -> None:
    model = tiny.build_tiny(image_size=8, depth=3, classes=5)
    pictures = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3)).astype(np.float32)
    before = np.asarray(model(pictures))
    fold(model, 1.7)
    after = np.asarray(model(pictures))
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    expected = before ** (1 / 1.7)
    np.testing.assert_allclose(after, expected / expected.sum(axis=1, keepdims=True), rtol=1e-4)


def test_the_temperature_of_a_training_is_fitted_folded_and_written_down(
    digits_folder: Path, digits_model: Path
) -> None:
    from orilla.evaluation.keras_model import keras_scores
    from orilla_runtime.labelled import read_labelled

    card = read_card(digits_model)
    assert card is not None
    temperature = card.training["temperature"]
    images = read_labelled(digits_folder)
    places = {path.as_posix(): place for place, path in enumerate(images.paths)}
    held = [places[path] for path in card.training["split"]["validation"]]
    scored = keras_scores(digits_model, images.subset(held))
    assert temperature["n"] == len(held)
    assert temperature["nll_before"] == pytest.approx(card.training["best"]["val_loss"], rel=1e-3)
    right = scored.scores[np.arange(len(held)), scored.truth]
    assert -np.log(right).mean() == pytest.approx(temperature["nll_after"], rel=1e-3)


def test_without_a_record_nothing_lies_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", tiny.ENTRIES["tiny"])
    data = tiny.draw_stripes(tmp_path / "stripes", 20)
    train(data, output=tmp_path / "m.keras", model="tiny", epochs=1, image_size=8, record=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.keras", "stripes"]


def test_a_file_in_place_of_the_folder_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "tiny", tiny.ENTRIES["tiny"])
    data = tiny.draw_stripes(tmp_path / "stripes", 20)
    (tmp_path / "m.training").write_text("mine")
    with pytest.raises(SinkError, match=r"m\.training.*\n.*--no-record"):
        train(data, output=tmp_path / "m.keras", model="tiny", epochs=1, image_size=8)
    assert (tmp_path / "m.training").read_text() == "mine"
