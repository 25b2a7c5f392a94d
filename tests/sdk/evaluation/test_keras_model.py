"""A Keras file on pictures: failures are counted, classes are matched by name, strangers are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from orilla.evaluation.keras_model import keras_scores
from orilla.models import zoo
from orilla.models.saving import save_model
from orilla_converters.keras_card import KerasCard, read_card
from orilla_runtime.errors import DataError, ModelError
from orilla_runtime.labelled import read_labelled
from orilla_runtime.preprocess import Preprocess


@pytest.fixture
def few(digits_folder: Path, tmp_path: Path) -> Path:
    """Five pictures of 3 and of 7: as a data set, their classes are 0 and 1."""
    for digit in "37":
        (tmp_path / "few" / digit).mkdir(parents=True)
        for file in sorted((digits_folder / digit).iterdir())[:5]:
            shutil.copy(file, tmp_path / "few" / digit)
    return tmp_path / "few"


def test_classes_are_matched_by_name_and_failures_counted(digits_model: Path, few: Path) -> None:
    spoiled = sorted((few / "3").iterdir())[1]
    spoiled.write_bytes(b"")
    seen: list[tuple[int, int]] = []
    scored = keras_scores(digits_model, read_labelled(few), progress=lambda done, total: seen.append((done, total)))
    assert scored.scores.shape == (9, 10)
    assert scored.scores.dtype == np.float32
    assert sorted(set(scored.truth.tolist())) == [3, 7]
    assert (scored.scores.argmax(axis=1) == scored.truth).mean() > 0.7
    assert [name for name, _ in scored.failed] == [f"3/{spoiled.name}"]
    assert len(scored.paths) == 9
    assert seen[-1] == (10, 10)


def test_a_class_that_the_model_does_not_know_is_refused(digits_model: Path, few: Path) -> None:
    (few / "7").rename(few / "seven")
    with pytest.raises(DataError, match="seven"):
        keras_scores(digits_model, read_labelled(few))


def test_pictures_without_labels_have_scores_and_no_truth(digits_model: Path, few: Path) -> None:
    scored = keras_scores(digits_model, read_labelled(few / "3", labelled=False))
    assert len(scored.scores) == 5
    assert len(scored.truth) == 0


def test_no_readable_picture_is_an_error(digits_model: Path, few: Path) -> None:
    for path in few.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="None of the 10"):
        keras_scores(digits_model, read_labelled(few))


def test_a_model_without_a_card_is_refused(few: Path, tmp_path: Path) -> None:
    model = zoo.build("small", image_size=8, depth=1, classes=2)
    model.save(tmp_path / "plain.keras")
    with pytest.raises(ModelError, match="classes"):
        keras_scores(tmp_path / "plain.keras", read_labelled(few))


def test_a_damaged_model_is_refused(digits_model: Path, few: Path, tmp_path: Path) -> None:
    import zipfile

    damaged = tmp_path / "damaged.keras"
    with zipfile.ZipFile(digits_model) as source, zipfile.ZipFile(damaged, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, b"{}" if entry.filename == "config.json" else source.read(entry))
    with pytest.raises(ModelError, match="Keras cannot open it"):
        keras_scores(damaged, read_labelled(few))


def test_logits_become_probabilities(few: Path, tmp_path: Path) -> None:
    from orilla.keras_backend import keras_and_tensorflow

    keras, _ = keras_and_tensorflow()
    model = zoo.build("small", image_size=8, depth=1, classes=2)
    logits = keras.Model(model.input, model.get_layer("logits").output)
    card = KerasCard(("3", "7"), Preprocess((8, 8), channels="grey"), "logits", {})
    save_model(logits, tmp_path / "logits.keras", card)
    assert read_card(tmp_path / "logits.keras") == card
    scored = keras_scores(tmp_path / "logits.keras", read_labelled(few))
    np.testing.assert_allclose(scored.scores.sum(axis=1), 1, rtol=1e-5)
