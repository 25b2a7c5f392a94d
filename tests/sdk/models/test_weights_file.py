"""Files of weights are numbers and nothing else: damaged, foreign and treacherous ones are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from orilla.keras_backend import keras_and_tensorflow
from orilla.models.weights_file import assign, check_weights_file, opened_layers
from orilla_runtime.errors import DataError, UsageError


@pytest.fixture(scope="module")
def net() -> Any:
    return _net()


def _net() -> Any:
    keras, _ = keras_and_tensorflow()
    layers = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 3, name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(4, 3, name="second")(x)
    return keras.Model(image, layers.Dense(2, name="logits")(layers.Flatten()(x)))


def _read(path: Path, into: Any) -> None:
    with opened_layers(path) as layers:
        assign(into.layers, layers, path)


@pytest.mark.parametrize(
    ("name", "nested"),
    # Keras 2's format mixes up what a nested model holds.
    [("m.weights.h5", False), ("m.keras", False), ("m.h5", False), ("m.weights.h5", True), ("m.keras", True)],
)
def test_what_keras_saved_is_read(net: Any, name: str, nested: bool, tmp_path: Path) -> None:
    keras, _ = keras_and_tensorflow()
    saved = keras.Sequential([keras.Input((6, 6, 2)), net, keras.layers.Dense(3)]) if nested else net
    (saved.save_weights if name == "m.weights.h5" else saved.save)(tmp_path / name)
    other = _net()
    _read(tmp_path / name, other)
    for one, two in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_damaged_files_are_refused(net: Any, tmp_path: Path) -> None:
    net.save(tmp_path / "m.keras")
    net.save_weights(tmp_path / "m.weights.h5")
    for name in ("m.keras", "m.weights.h5"):
        whole = (tmp_path / name).read_bytes()
        for bad in (b"", whole[: len(whole) // 2], b"PK" + b"\0" * 100):
            (tmp_path / name).write_bytes(bad)
            with pytest.raises(DataError, match=name):
                _read(tmp_path / name, _net())
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DataError, match="cannot be read"):
        _read(tmp_path / "m.keras", _net())


def test_a_file_may_not_point_into_another(net: Any, tmp_path: Path) -> None:
    net.save_weights(tmp_path / "secret.weights.h5")
    with h5py.File(tmp_path / "linked.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group["0"] = h5py.ExternalLink("secret.weights.h5", "/layers/conv2d/vars/0")
    with pytest.raises(DataError, match="does not lie in this file"):
        _read(tmp_path / "linked.weights.h5", _net())
    with h5py.File(tmp_path / "raw.weights.h5", "w") as file:
        (tmp_path / "raw.bin").write_bytes(bytes(4 * 54))
        group = file.create_group("layers/conv2d/vars")
        group.create_dataset("0", (3, 3, 2, 3), "<f4", external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(DataError, match="no numbers of its own"):
        _read(tmp_path / "raw.weights.h5", _net())


def test_what_is_no_number_is_refused_and_nothing_is_changed(net: Any, tmp_path: Path) -> None:
    net.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        file["layers/conv2d_1/vars/0"][0, 0, 0, 0] = np.nan
    other = _net()
    before = [weight.copy() for weight in other.get_weights()]
    with pytest.raises(DataError, match="second are not all numbers"):
        _read(tmp_path / "m.weights.h5", other)
    assert all(np.array_equal(one, two) for one, two in zip(before, other.get_weights(), strict=True))


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        check_weights_file(tmp_path / "missing.h5")
    with pytest.raises(UsageError, match="imagenett is not possible"):
        check_weights_file("imagenett")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(DataError, match="holds no layers"):
        _read(tmp_path / "empty.h5", _net())
