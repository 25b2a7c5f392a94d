"""On its own data a model is judged by what it did not see; other data is judged whole, with a warning if need be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orilla.evaluation.parts import choose_part
from orilla_runtime.errors import DataError, UsageError
from orilla_runtime.labelled import LabelledImages, read_labelled


@pytest.fixture
def data(tmp_path: Path) -> LabelledImages:
    for index in range(8):
        file = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(cv2.imencode(".png", np.full((4, 4), index * 20, np.uint8))[1].tobytes())
    return read_labelled(tmp_path / "photos")


def recorded(data: LabelledImages) -> dict[str, Any]:
    names = [path.as_posix() for path in data.paths]
    split = {"train": names[:5], "validation": names[5:6], "test": names[6:]}
    return {"split": split, "data_digest": data.digest()}


def test_its_own_data_is_judged_on_the_test_part(data: LabelledImages) -> None:
    chosen = choose_part(data, recorded(data), None)
    assert chosen.part == "test"
    assert [path.as_posix() for path in chosen.images.paths] == recorded(data)["split"]["test"]
    assert "test part alone" in chosen.note


def test_every_part_can_be_asked_for(data: LabelledImages) -> None:
    training = recorded(data)
    counts = {part: len(choose_part(data, training, part).images) for part in ("train", "validation", "test", "all")}
    assert counts == {"train": 5, "validation": 1, "test": 2, "all": 8}


def test_changed_pictures_of_the_same_names_are_judged_whole_with_a_warning(data: LabelledImages) -> None:
    training = recorded(data)
    data.full_path(0).write_bytes(cv2.imencode(".png", np.full((4, 4), 255, np.uint8))[1].tobytes())
    chosen = choose_part(data, training, None)
    assert (chosen.part, len(chosen.images)) == ("all", 8)
    assert chosen.note.startswith("6 of 8 pictures have the names")


def test_other_data_is_judged_whole_without_a_word(data: LabelledImages) -> None:
    training = recorded(data)
    names = {part: [f"other/{name}" for name in paths] for part, paths in training["split"].items()}
    for known in ({}, {**training, "split": names}, {"split": "damaged"}, {"split": {"train": 3}}):
        chosen = choose_part(data, known, None)
        assert (chosen.part, len(chosen.images), chosen.note) == ("all", 8, "")


def test_a_table_of_the_same_pictures_that_lies_elsewhere_is_known(data: LabelledImages, tmp_path: Path) -> None:
    rows = [f"{data.full_path(place)},{path.parts[0]}" for place, path in enumerate(data.paths)]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]))
    table = read_labelled(tmp_path / "table.csv")
    assert choose_part(table, recorded(data), None).note.startswith("6 of 8 pictures")
    assert len(choose_part(table, recorded(data), "test").images) == 2


def test_a_column_tells_the_parts_where_no_training_does(data: LabelledImages, tmp_path: Path) -> None:
    rows = [
        f"photos/{path.as_posix()},{path.parts[0]},{'test' if n < 3 else 'train'}" for n, path in enumerate(data.paths)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,split", *rows]))
    table = read_labelled(tmp_path / "table.csv")
    assert len(choose_part(table, {}, "test").images) == 3
    assert len(choose_part(table, {}, None).images) == 8


def test_a_part_that_is_not_there_is_refused(data: LabelledImages) -> None:
    with pytest.raises(DataError, match="validation part"):
        choose_part(data, {}, "validation")
    with pytest.raises(UsageError, match="half"):
        choose_part(data, {}, "half")
