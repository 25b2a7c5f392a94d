"""Retraining: the next model knows the new pictures, keeps to the old test, and is not written where it is worse."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import orilla
from orilla.cli import invoke
from orilla.data.opening import open_data
from orilla.data.split import split_images
from orilla.retraining.joining import join
from orilla.training.progress import EpochEnd, Event
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import BundleError, DataError, ModelError, OrillaError, SinkError, UsageError

OPTIONS: dict[str, Any] = {"epochs": 4, "seed": 5, "batch_size": 8, "image_size": 8, "validation": 0.15}


def draw(folder: Path, kinds: dict[str, str], *, count: int, seed: int) -> Path:
    """`count` noisy pictures of each kind (`lying`, `standing` or `grey` stripes) in the class folder it is given."""
    drawn = np.random.default_rng(seed)
    for label, kind in kinds.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = drawn.integers(0, 60, (16, 16, 3), np.uint8)
            picture[::4] += 180 if kind == "lying" else 0
            picture[:, ::4] += 180 if kind == "standing" else 0
            cv2.imwrite(str(folder / label / f"{seed}-{number:02}.png"), picture)
    return folder


STRIPES = {"lying": "lying", "standing": "standing"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `old/` pictures, a model of them and its bundle."""
    folder = tmp_path_factory.mktemp("retraining")
    draw(folder / "old", STRIPES, count=30, seed=1)
    orilla.train(folder / "old", output=folder / "parts.keras", record=False, **OPTIONS)
    recipes = ["tflite:float32"]
    orilla.convert(folder / "parts.keras", data=folder / "old", output=folder / "parts.orilla", recipes=recipes)
    return folder


def test_new_pictures_become_the_next_verified_bundle(made: Path, tmp_path: Path) -> None:
    new = draw(tmp_path / "new", {**STRIPES, "grey": "grey"}, count=12, seed=2)
    output = tmp_path / "next.keras"
    result = orilla.retrain(made / "parts.keras", new, base=made / "old", output=output, bundle=made / "parts.orilla")
    assert (result.path, result.bundle) == (output, tmp_path / "next.orilla")
    before, after = read_card(made / "parts.keras"), read_card(output)
    assert before is not None
    assert after is not None
    assert after.labels == ("lying", "standing", "grey")
    assert after.training["start"]["file"] == "parts.keras"
    assert after.training["shares"] == before.training["shares"]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("new", "next.keras", "next.orilla", "next.data.csv", "next.training")
    }
    assert json.loads((tmp_path / "next.training" / "recipe.json").read_text())["data"] == str(result.data)
    assert result.labels_added == ("grey",)
    home = (made / "old").resolve()
    test = {(tmp_path / path).resolve() for path in after.training["split"]["test"]}
    assert {home / path for path in before.training["split"]["test"]} < test
    assert not test & {(tmp_path / path).resolve() for path in after.training["split"]["train"]}
    assert [(one.file, one.pictures) for one in result.compared] == [
        ("next.keras", "old test"),
        ("next.keras", "new test"),
        ("artifacts/float32.tflite", "old test"),
        ("artifacts/float32.tflite", "new test"),
    ]
    # The old model is asked about the classes it knows; the new one about all of them too.
    assert result.compared[1].comparison.n == 4
    assert result.compared[1].new_alone.n == 6
    with orilla.load(result.bundle) as classifier:
        grey = classifier(cv2.imread(str(new / "grey" / "2-00.png")))
        assert grey.top.label == "grey"
    # The table is the base of the retraining after this one.
    again = join(open_data(result.data), open_data(draw(tmp_path / "newer", STRIPES, count=3, seed=3)), *_known(output))
    assert sum(row.old for row in again.rows) == 60 + 36


def _known(model: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    card = read_card(model)
    assert card is not None
    return card.labels, dict(card.training)


def test_a_worse_model_is_not_written(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swapped = draw(tmp_path / "new", {"lying": "standing", "standing": "lying"}, count=60, seed=4)
    base, output, table = str(made / "old"), str(tmp_path / "next.keras"), tmp_path / "next.data.csv"
    table.write_text("of the model before")
    command = ["retrain", str(made / "parts.keras"), str(swapped), "--base", base, "-o", output, "--quiet"]
    assert invoke(command) == 3
    error = capsys.readouterr().err
    assert "was not written" in error
    assert "old test" in error
    assert {path.name for path in tmp_path.iterdir()} == {"new", "next.data.csv"}
    assert table.read_text() == "of the model before"


def test_the_command_tells_machines(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = draw(tmp_path / "new", STRIPES, count=6, seed=6)
    base, output = str(made / "old"), str(tmp_path / "next.keras")
    options = ["--base", base, "-o", output, "--quiet", "--json", "--max-drop", "0.5"]
    assert invoke(["retrain", str(made / "parts.keras"), str(new), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == output
    assert {one["pictures"] for one in told["compared"]} == {"old test", "new test"}
    assert Path(told["data"]).is_file()


def test_an_interrupted_conversion_does_not_cost_the_training(made: Path, tmp_path: Path) -> None:
    new, events = draw(tmp_path / "new", STRIPES, count=6, seed=6), list[Event]()
    call = {"base": made / "old", "output": tmp_path / "next.keras", "max_drop": 0.5}

    def interrupt(_event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        orilla.retrain(made / "parts.keras", new, bundle=made / "parts.orilla", convert_progress=interrupt, **call)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "next.retraining"}
    result = orilla.retrain(made / "parts.keras", new, resume=True, progress=events.append, **call)
    assert not [event for event in events if isinstance(event, EpochEnd)]
    assert result.training.history
    assert not (tmp_path / "next.training" / "checkpoint.npz").exists()
    assert not (tmp_path / "next.retraining").exists()


def test_copies_groups_and_contradictions(made: Path, tmp_path: Path) -> None:
    labels, training = _known(made / "parts.keras")
    old = open_data(made / "old")
    new = draw(tmp_path / "new", STRIPES, count=2, seed=7)
    shutil.copy(made / "old" / "lying" / "1-00.png", new / "lying" / "copy.png")
    joined = join(old, open_data(new), labels, training)
    assert len(joined.rows) == 60 + 4
    assert {row.part for row in joined.rows if not row.old} <= {"train", "validation", "test"}
    assert joined.notes == ("1 new pictures are copies of others and left out.",)

    # A new picture of a part that the old test knows must not teach the model.
    tested = next(Path(path) for path in training["split"]["test"])
    number = tested.stem.partition("-")[2]
    draw(tmp_path / "same", STRIPES, count=30, seed=9)
    rows = join(old, open_data(tmp_path / "same"), labels, {**training, "group": r"-(\d+)"}).rows
    parts = {row.part for row in rows if not row.old and row.file.stem.endswith(f"-{number}")}
    known = {row.part for row in rows if row.old and row.file.stem.endswith(f"-{number}")}
    assert len(parts) == 1
    assert parts <= known

    # Numbers without names are those of the model.
    rows = "\n".join(f"new/standing/{path.name},1" for path in (new / "standing").iterdir())
    (tmp_path / "numbers.csv").write_text(f"path,class_id\n{rows}\n")
    numbered = open_data(tmp_path / "numbers.csv").aligned(labels)
    assert {row.label for row in join(old, numbered, labels, training).rows if not row.old} == {"standing"}

    # An old picture of a class that has got another name since.
    renamed = dataclasses.replace(old, classes=("flat", "standing"))
    with pytest.raises(DataError, match=r"is 'flat' in .* and the model has no such class"):
        join(renamed, numbered, labels, training)

    shutil.copy(made / "old" / "lying" / "1-01.png", new / "standing" / "other.png")
    with pytest.raises(DataError, match="the same picture"):
        join(old, open_data(new), labels, training)


def test_the_rule_of_groups_outlives_the_pictures_that_it_was_made_for(made: Path, tmp_path: Path) -> None:
    """The table's paths begin elsewhere than those that the pattern was written for; its groups stay what they were."""
    labels, training = _known(made / "parts.keras")
    old, rule = open_data(made / "old"), r"^[a-z]+/\d-(\d+)"
    part_of = dict(zip(range(30), ("train", "validation", "test") * 10, strict=True))
    split: dict[str, list[str]] = {part: [] for part in ("train", "validation", "test")}
    for path in old.paths:
        split[part_of[int(path.stem.partition("-")[2])]].append(path.as_posix())
    new = open_data(draw(tmp_path / "new", STRIPES, count=4, seed=2))
    joined = join(old, new, labels, {**training, "split": split, "group": rule})
    assert joined.group == rule
    assert all(row.part == part_of[int(row.group)] for row in joined.rows)
    table = open_data(joined.write(tmp_path / "next.data.csv"))
    parts, _ = split_images(table, seed=9, group=rule)
    assert {name: part for part in split for name in getattr(parts, part)} == {
        path.as_posix(): part for path, part in zip(table.paths, table.columns["split"], strict=True)
    }
    recorded = {part: list(names) for part, names in dataclasses.asdict(parts).items()}
    record = {**training, "split": recorded, "group": rule}
    newer = open_data(draw(tmp_path / "newer", STRIPES, count=4, seed=3))
    third = join(table, newer, labels, record)
    assert all(row.part == part_of[int(row.group)] for row in third.rows)


def test_bad_input(made: Path, tmp_path: Path) -> None:
    new = draw(tmp_path / "new", STRIPES, count=4, seed=8)
    half = tmp_path / "half"
    shutil.copytree(made / "old", half)
    shutil.rmtree(half / "lying")
    (half / "lying").mkdir()
    shutil.copy(made / "old" / "lying" / "1-00.png", half / "lying")
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("path,class_id\nnew/lying/8-00.png,7\n")
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "other.retraining").touch()
    good = {"base": made / "old", "output": tmp_path / "next.keras"}
    for model, data, changes, kind, text in (
        ("parts.keras", new, {"base": half}, DataError, "are not there"),
        ("parts.keras", made / "old", {}, DataError, "known already"),
        ("parts.keras", new, {"max_drop": 2}, UsageError, "max_drop"),
        ("parts.keras", new, {"output": tmp_path / "next.h5"}, UsageError, ".keras"),
        ("parts.keras", new, {"bundle": tmp_path / "none.orilla"}, BundleError, "none.orilla"),
        ("none.keras", new, {}, DataError, "none.keras"),
        ("parts.keras", numbers, {}, DataError, "class_id 7 is none of the model's 2 classes"),
        ("parts.keras", new / "lying", {}, DataError, "no classes"),
        ("parts.keras", new, {"output": made / "old" / "next.keras"}, UsageError, "among the class folders"),
        ("parts.keras", new, {"output": new / "next.keras"}, UsageError, "among the class folders"),
        ("parts.keras", new, {"output": blocked / "other.keras"}, SinkError, "other.retraining"),
    ):
        with pytest.raises(OrillaError, match=text) as caught:
            orilla.retrain(made / model, data, **{**good, **changes})
        assert isinstance(caught.value, kind)
    bare = tmp_path / "bare.keras"
    _without_record(made / "parts.keras", bare)
    with pytest.raises(ModelError, match="how it was trained"):
        orilla.retrain(bare, new, **good)
    assert not list(tmp_path.glob("next*"))


def _without_record(source: Path, target: Path) -> None:
    from orilla_converters.keras_card import KerasCard, write_card

    shutil.copy(source, target)
    card = read_card(source)
    assert card is not None
    write_card(target, KerasCard(card.labels, card.preprocess))
