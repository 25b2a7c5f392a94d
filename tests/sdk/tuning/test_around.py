"""The space that is searched: what the user names, and around each model's own recipe what he does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from orilla.models.zoo import MODELS
from orilla.tuning.around import MODEL, Space, space_for
from orilla.tuning.space import Choice, Range, parse_dimension
from orilla_runtime.errors import UsageError
from orilla_runtime.labelled import LabelledImages, read_labelled


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> LabelledImages:
    """Four pictures of 40 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(4):
        path = folder / ("a", "b")[index % 2] / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((40, 60, 3), 60 * index, np.uint8))
    return read_labelled(folder)


def space(images: LabelledImages, *search: str, models: tuple[str, ...] = ("small",), **options: int | str) -> Space:
    return space_for(models, [parse_dimension(text) for text in search], options, images)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_has_a_space_that_holds_its_own_recipe(images: LabelledImages, model: str) -> None:
    found = space(images, models=(model,))
    branch = found.branches[0]
    assert {each.name for each in branch.dimensions} >= {"learning_rate", "batch_size", "dropout", "label_smoothing"}
    assert set(found.default()) == {each.name for each in branch.dimensions}
    assert branch.changes(found.default()) == {}, "the default is what train does unasked"


def test_what_is_asked_takes_the_place_of_what_is_searched_unasked(images: LabelledImages) -> None:
    branch = space(images, "dropout=0.1..0.3", "fit=crop|stretch", "optimizer=adamw", image_size=16).branches[0]
    named = {each.name: each for each in branch.dimensions}
    assert named["dropout"] == Range("dropout", 0.1, 0.3)
    assert named["fit"] == Choice("fit", ("crop", "stretch"))
    assert not {"optimizer", "image_size"} & set(named)
    assert branch.changes({"dropout": 0.15}) == {"optimizer": "adamw", "image_size": 16, "dropout": 0.15}


def test_the_default_stays_the_recipe_where_the_space_lies_beside_it(images: LabelledImages) -> None:
    assert "dropout" not in space(images, "dropout=0.4..0.5").default()


def test_sizes_follow_the_pictures(images: LabelledImages) -> None:
    sizes = next(each for each in space(images).branches[0].dimensions if each.name == "image_size")
    assert sizes == Choice("image_size", (28, 40)), "no size that the pictures do not have"


def test_several_models(images: LabelledImages) -> None:
    found = space(images, "dropout=0..0.4", models=("small", "efficientnet_lite0"))
    assert found.default()[MODEL] == "small"
    assert found.default()["small.dropout"] == 0.2
    rates = {branch.model: branch.dimensions for branch in found.branches}
    assert "head_learning_rate" in {each.name for each in rates["efficientnet_lite0"]}
    assert "head_learning_rate" not in {each.name for each in rates["small"]}


@pytest.mark.parametrize(
    ("search", "says"),
    [
        (("colour=1..2",), "cannot be searched"),
        (("dropout=0..2",), "not possible"),
        (("batch_size=0|16",), "not possible"),
        (("augmentation=none|wobble=1",), "wobble"),
        (("optimizer=adam|best",), "not possible"),
        (("image_size=2..9",), "no pictures of 2 pixels"),
        (("dropout=0..0.1", "dropout=0..0.2"), "twice"),
    ],
)
def test_refused(images: LabelledImages, search: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        space(images, *search)


def test_models_that_are_refused(images: LabelledImages) -> None:
    for models in ((), ("small", "small"), ("huge",)):
        with pytest.raises(UsageError):
            space(images, models=models)
