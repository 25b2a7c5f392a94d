"""A set as tensorflow-datasets keeps it, written by its own writer: its pictures' bytes are taken as they are."""

from __future__ import annotations

import importlib.resources.abc
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from orilla.data.opening import open_data
from orilla_runtime.sources.picture import read_picture

COUNTS = {"train": 7, "test": 4}


def test_a_prepared_set_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setitem(sys.modules, "importlib_resources", importlib.resources)
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("oxford_iiit_pet", data_dir=tmp_path / "tfds")
    drawn = np.random.default_rng(0)
    examples = {
        part: [
            {
                "image": drawn.integers(0, 256, (20, 30, 3), np.uint8),
                "label": 5 * place,
                "species": place % 2,
                "file_name": f"{place}.jpg",
                "segmentation_mask": np.ones((20, 30, 1), np.uint8),
                "head_bbox": tfds.features.BBox(0.0, 0.0, 1.0, 1.0),
            }
            for place in range(count)
        ]
        for part, count in COUNTS.items()
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="oxford_iiit_pet",
        version=str(builder.version),
        features=builder.info.features,
        split_datasets={part: list(enumerate(rows)) for part, rows in examples.items()},
        data_dir=tmp_path / "tfds",
    )
    images = open_data("oxford_iiit_pet")
    assert sorted(images.columns) == ["species", "split"]
    names = builder.info.features["label"].names
    for part, rows in examples.items():
        places = [place for place, split in enumerate(images.columns["split"]) if split == part]
        found = {images.label(place): place for place in places}
        assert sorted(map(str, found)) == sorted(names[row["label"]] for row in rows)
        for row in rows:
            place = found[names[row["label"]]]
            assert images.columns["species"][place] == ("cat", "dog")[row["species"]]
            coded = builder.info.features["image"].encode_example(row["image"])
            assert images.full_path(place).read_bytes() == coded
            assert read_picture(images.full_path(place)).shape == (20, 30, 3)
    assert cv2.haveImageReader(str(images.full_path(0)))
