"""The nets of keras.applications in the zoo give what Keras' own give behind their own preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from orilla.keras_backend import keras_and_tensorflow
from orilla.models import applications, zoo
from orilla.models.entry import ModelEntry
from orilla_runtime.errors import DataError, OrillaError

PREPROCESS = {
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3",
    "mobilenet_v3_large": "mobilenet_v3",
    "efficientnet_v2_b0": "efficientnet_v2",
    "inception_v3": "inception_v3",
    "resnet50": "resnet",
    "vgg16": "vgg16",
}
QUICK = {"vgg16"}


def _theirs(entry: ModelEntry, size: int, **options: Any) -> Any:
    """Keras' own net, with weights of which every one matters."""
    keras, _ = keras_and_tensorflow()
    builder = getattr(keras.applications, entry.build.args[0].builder)  # type: ignore[attr-defined]
    net = builder(weights=None, input_shape=(size, size, 3), **options)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, weight.shape)
                    if "gamma" in weight.path or "variance" in weight.path
                    else rng.normal(0, 0.2, weight.shape)
                    for weight in layer.weights
                ]
            )
    return net


def _features(model: Any, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    keras, _ = keras_and_tensorflow()
    found: NDArray[np.float32] = keras.Model(model.input, model.get_layer("features").output)(pictures).numpy()
    return found


def _as_published(net: Any, path: Path) -> None:
    """The form in which Keras publishes weights: the lists of names at the file's root."""
    import h5py

    whole = path.with_name("whole.h5")
    net.save(whole)
    with h5py.File(whole, "r") as source, h5py.File(path, "w") as target:
        for name in source["model_weights"]:
            source.copy(source["model_weights"][name], target, name)
        for name, value in source["model_weights"].attrs.items():
            target.attrs[name] = value


FORMS: dict[str, Callable[[Any, Path], None]] = {
    "net_notop.h5": _as_published,
    "net.weights.h5": lambda net, path: net.save_weights(path),
    "net.keras": lambda net, path: net.save(path),
}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PREPROCESS]
)
def test_a_net_gives_what_keras_gives_behind_its_own_preprocessing(name: str, tmp_path: Path) -> None:
    keras, _ = keras_and_tensorflow()
    entry = zoo.entry_of(name)
    theirs = _theirs(entry, entry.smallest, include_top=False, pooling="avg")
    pictures = np.random.default_rng(1).integers(0, 256, (2, entry.smallest, entry.smallest, 3)).astype(np.float32)
    preprocess = getattr(keras.applications, PREPROCESS[name]).preprocess_input
    wanted = theirs(preprocess(pictures.copy()), training=False).numpy()
    ours = zoo.build(name, image_size=entry.smallest, depth=3, classes=2)
    assert entry.load_weights is not None
    assert entry.frozen_before in {layer.name for layer in ours.layers}
    assert [layer.name for layer in ours.layers[:2]] == ["image", "normalize"]
    assert [layer.name for layer in ours.layers[-3:]] == ["dropout", "logits", "probabilities"]
    scale = np.abs(wanted).max()
    assert wanted.std() > 0.05 * scale
    for file, write in FORMS.items():
        write(theirs, tmp_path / file)
        _blank(ours)
        entry.load_weights(ours, str(tmp_path / file))
        np.testing.assert_allclose(_features(ours, pictures), wanted, atol=2e-5 * scale, err_msg=file)
    # What Orilla saved has its first kernel as Orilla takes it.
    for file, write in FORMS.items():
        write(ours, tmp_path / file)
        _blank(ours)
        entry.load_weights(ours, str(tmp_path / file))
        np.testing.assert_allclose(_features(ours, pictures), wanted, atol=2e-5 * scale, err_msg=f"own {file}")


def _blank(model: Any) -> None:
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])


@pytest.mark.parametrize("entry", applications.ENTRIES, ids=lambda entry: entry.name)
def test_one_layer_normalizes_as_keras_does(entry: ModelEntry) -> None:
    """The first kernel of random numbers, behind Keras' own function and behind our layer."""
    keras, _ = keras_and_tensorflow()
    application = entry.build.args[0]  # type: ignore[attr-defined]
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (4, 5, 5, 3)).astype(np.float32)
    mode = {1 / 127.5: "tf", 1.0: "caffe"}.get(application.normalization[0], "torch")
    theirs = keras.applications.imagenet_utils.preprocess_input(pictures.copy(), mode=mode)
    scale, offset = application.normalization
    ours = keras.layers.Rescaling(scale, offset)(pictures).numpy()
    kernel = rng.normal(size=(3, 8)).astype(np.float32)
    turned = kernel[::-1] if application.blue_first else kernel
    wanted = theirs @ kernel
    np.testing.assert_allclose(ours @ turned, wanted, atol=1e-6 * np.abs(wanted).max())
    assert application.blue_first == (mode == "caffe")


def test_the_classifier_is_taken_where_its_classes_are_as_many(tmp_path: Path) -> None:
    entry = zoo.entry_of("mobilenet_v2")
    theirs = _theirs(entry, 32, include_top=True, classes=7)
    _as_published(theirs, tmp_path / "net.h5")
    for classes, same in ((7, True), (3, False)):
        ours = zoo.build("mobilenet_v2", image_size=32, depth=3, classes=classes)
        assert entry.load_weights is not None
        entry.load_weights(ours, str(tmp_path / "net.h5"))
        kernel = ours.get_layer("logits").get_weights()[0]
        assert (kernel.shape[1] == 7 and np.array_equal(kernel, theirs.layers[-1].get_weights()[0])) == same


def test_each_model_counts_its_own_layers() -> None:
    one, two = (zoo.build("mobilenet_v3_small", image_size=32, depth=3, classes=2) for _ in range(2))
    assert [layer.name for layer in one.layers] == [layer.name for layer in two.layers]


def test_weights_that_cannot_be_fetched_say_which_file_to_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A proxy that is not there: the network is missing, whatever machine this is; and nothing was fetched before.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    entry = zoo.entry_of("vgg16")
    model = zoo.build("vgg16", image_size=32, depth=3, classes=2)
    assert entry.load_weights is not None
    with pytest.raises(OrillaError, match="weights of vgg16 cannot be fetched") as caught:
        entry.load_weights(model, "imagenet")
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in caught.value.remedy
    assert "--weights FILE" in caught.value.remedy


def test_random_weights_are_the_models_own() -> None:
    model = zoo.build("vgg16", image_size=32, depth=3, classes=2)
    before = [weight.copy() for weight in model.get_weights()]
    entry = zoo.entry_of("vgg16")
    assert entry.load_weights is not None
    entry.load_weights(model, "random")
    assert all(np.array_equal(one, two) for one, two in zip(before, model.get_weights(), strict=True))
    assert entry.recipe_from("random").learning_rate > entry.recipe_from("imagenet").learning_rate


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    model = zoo.build("vgg16", image_size=32, depth=3, classes=2)
    before = [weight.copy() for weight in model.get_weights()]
    zoo.build("mnist_cnn", image_size=8, depth=1, classes=2).save(tmp_path / "other.keras")
    entry = zoo.entry_of("vgg16")
    assert entry.load_weights is not None
    with pytest.raises(DataError, match=r"other\.keras is of another net: block1_conv1 takes 3x3x3x64"):
        entry.load_weights(model, str(tmp_path / "other.keras"))
    assert all(np.array_equal(one, two) for one, two in zip(before, model.get_weights(), strict=True))
