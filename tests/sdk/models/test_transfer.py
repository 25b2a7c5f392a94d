"""Transfer of a net of keras.applications from a file of weights, as a tutorial does it: pictures in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import orilla
from orilla.keras_backend import keras_and_tensorflow
from orilla.models import zoo
from orilla.training.plan import Wishes
from orilla_runtime.errors import UsageError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve red and twelve blue pictures, of two sizes."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for name, colour in (("red", (40, 40, 220)), ("blue", (220, 40, 40))):
        (folder / name).mkdir()
        for number in range(12):
            picture = np.clip(rng.normal(colour, 30, (80 + 10 * (number % 2), 90, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{number:02}.png"), picture)
    return folder


def _weights(name: str, size: int, path: Path) -> Any:
    """A file of random weights of Keras' own net, as `save_weights` writes it."""
    keras, _ = keras_and_tensorflow()
    builder = getattr(keras.applications, zoo.entry_of(name).build.args[0].builder)  # type: ignore[attr-defined]
    net = builder(include_top=False, weights=None, input_shape=(size, size, 3))
    net.save_weights(path)
    return net


@pytest.mark.parametrize(
    ("name", "size"), [("mobilenet_v2", 32), pytest.param("inception_v3", 75, marks=pytest.mark.slow)]
)
def test_the_path_of_a_tutorial(name: str, size: int, pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.weights.h5"
    theirs = _weights(name, size, file)
    result = orilla.train(
        pictures, output=tmp_path / "m.keras", model=name, image_size=size, weights=file, epochs=1, batch_size=8
    )
    assert {end.phase for end in result.history} == {"head", "fine-tune"}
    keras, _ = keras_and_tensorflow()
    trained = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    entry = zoo.entry_of(name)
    names = [layer.name for layer in trained.layers]
    frozen = [layer for layer in trained.layers[: names.index(entry.frozen_before)] if layer.weights]
    given = [layer for layer in theirs.layers if layer.weights][: len(frozen)]
    assert len(frozen) > 20
    for one, two in zip(frozen, given, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True)), one.name
    losses = [end.loss for end in result.history if end.phase == "head"]
    assert min(losses) < losses[0]


def test_weights_are_checked_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="small takes no pretrained weights"):
        Wishes("small", weights="imagenet").check()
    with pytest.raises(UsageError, match="no such file"):
        Wishes("vgg16", weights=tmp_path / "missing.h5").check()
    with pytest.raises(UsageError, match="is not possible"):
        Wishes("vgg16", weights="imagenett").check()
    with pytest.raises(UsageError, match="trained from scratch"):
        Wishes("vgg16", weights="random", changes={"epochs": 0}).check()
    assert Wishes("vgg16", weights="random").plan(image_size=32, channels="rgb").transfer is False
    assert Wishes("vgg16").plan(image_size=32, channels="rgb").weights == "imagenet"
    assert Wishes("small", weights="random").plan(image_size=32, channels="rgb").transfer is False
