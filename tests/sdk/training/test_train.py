"""Training: it learns, it repeats itself, it writes down what it did, and a bad start ends before the first step."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orilla.evaluation.keras_model import keras_scores
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.zoo import MODELS
from orilla.training import TrainResult, train
from orilla.training.parts import parts_of
from orilla.training.plan import Wishes, plan_for
from orilla.training.progress import EpochEnd, Event, Note, Phase
from orilla_converters.keras_card import read_card
from orilla_runtime.errors import DataError, OrillaError, SinkError, UsageError
from orilla_runtime.labelled import read_labelled
from tests.sdk.training import tiny
from tests.sdk.training.tiny import draw_stripes


def weights(path: Path) -> list[Any]:
    keras, _ = keras_and_tensorflow()
    found: list[Any] = keras.saving.load_model(path, compile=False).get_weights()
    return found


OPTIONS: dict[str, Any] = {"model": "tiny", "epochs": 3, "seed": 5, "batch_size": 8, "image_size": 8}


@dataclass(frozen=True)
class Trained:
    """One training that several tests look at."""

    data: Path
    result: TrainResult
    events: list[Event]


@pytest.fixture(scope="module", autouse=True)
def _tiny_nets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, entry in tiny.ENTRIES.items():
            patch.setitem(MODELS, name, entry)  # type: ignore[misc]
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, events = tmp_path_factory.mktemp("trained"), list[Event]()
    data = draw_stripes(folder / "stripes")
    return Trained(data, train(data, output=folder / "m.keras", progress=events.append, **OPTIONS), events)


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    return draw_stripes(tmp_path / "stripes")


def test_digits_are_learned(digits_folder: Path, digits_model: Path) -> None:
    card = read_card(digits_model)
    assert card is not None
    assert card.labels == tuple("0123456789")
    assert card.preprocess.shape == (1, 16, 16, 1)
    assert card.preprocess.is_raw
    assert card.training["test"]["n"] > 300
    assert card.training["test"]["top1"] >= 0.97


def test_the_file_says_what_training_said(digits_folder: Path, digits_model: Path) -> None:
    card = read_card(digits_model)
    assert card is not None
    images = read_labelled(digits_folder)
    places = {path.as_posix(): place for place, path in enumerate(images.paths)}
    held_out = images.subset([places[path] for path in card.training["split"]["test"]])
    scored = keras_scores(digits_model, held_out)
    assert scored.failed == ()
    assert (scored.scores.argmax(axis=1) == scored.truth).mean() == pytest.approx(card.training["test"]["top1"])


def test_the_record_is_enough_to_repeat(trained: Trained) -> None:
    record = trained.result.card.training
    images = read_labelled(trained.data)
    assert record["data_digest"] == images.digest()
    assert sorted(chain(*record["split"].values())) == [path.as_posix() for path in images.paths]
    assert {part: len(paths) for part, paths in record["split"].items()} == {"train": 28, "validation": 4, "test": 8}
    assert record["seed"] == 5
    assert record["recipe"]["epochs"] == 3
    assert {"orilla", "tensorflow", "keras", "numpy", "python"} <= set(record["versions"])
    assert [epoch["epoch"] for epoch in record["history"]] == [1, 2, 3]
    assert read_card(trained.result.path) == trained.result.card


def test_the_best_epoch_is_kept(trained: Trained) -> None:
    result = trained.result
    assert result.best in result.history
    images = read_labelled(trained.data)
    names = [path.as_posix() for path in images.paths]
    places = [names.index(path) for path in result.card.training["split"]["validation"]]
    scored = keras_scores(result.path, images.subset(places))
    right = scored.scores[np.arange(len(places)), scored.truth]
    assert (scored.scores.argmax(axis=1) == scored.truth).mean() == pytest.approx(result.best.val_accuracy)
    # Four pictures cannot say that another temperature is better.
    assert result.card.training["temperature"]["value"] == 1.0
    assert -np.log(right).mean() == pytest.approx(result.best.val_loss, rel=1e-4)


def test_progress_tells_phases_and_epochs(trained: Trained) -> None:
    assert [event.name for event in trained.events if isinstance(event, Phase)] == ["read", "train", "test"]
    assert tuple(event for event in trained.events if isinstance(event, EpochEnd)) == trained.result.history


def test_the_same_training_gives_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    # Read again from the files at each step, and not from the cache: nothing else may change.
    again = train(trained.data, output=tmp_path / "again.keras", cache_bytes=0, **OPTIONS)
    pairs = zip(weights(trained.result.path), weights(again.path), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
    assert again.card == trained.result.card


def test_another_seed_gives_other_weights(trained: Trained, tmp_path: Path) -> None:
    other = train(trained.data, output=tmp_path / "other.keras", **OPTIONS | {"seed": 6, "epochs": 1})
    assert not np.array_equal(weights(trained.result.path)[0], weights(other.path)[0])


def test_grey_pictures_make_a_grey_model_unless_asked(digits_folder: Path, tmp_path: Path) -> None:
    for digit in "01":
        files = sorted((digits_folder / digit).iterdir())[:6]
        (tmp_path / "few" / digit).mkdir(parents=True)
        for file in files:
            shutil.copy(file, tmp_path / "few" / digit)
    images = read_labelled(tmp_path / "few")
    plan = plan_for(Wishes(), images)
    assert (plan.preprocess.channels, plan.preprocess.size) == ("grey", (64, 64))
    plan = plan_for(Wishes(channels="rgb", image_size=12), images)
    assert (plan.preprocess.channels, plan.preprocess.size) == ("rgb", (12, 12))
    plan = plan_for(Wishes("efficientnet_lite0"), images)
    assert (plan.preprocess.channels, plan.preprocess.size) == ("rgb", (224, 224))


def test_training_from_a_csv_of_class_ids(stripes: Path, tmp_path: Path) -> None:
    rows = [f"stripes/{path},{i % 2}" for i, path in enumerate(p.relative_to(stripes) for p in stripes.rglob("*.png"))]
    (tmp_path / "table.csv").write_text("path,class_id\n" + "\n".join(rows) + "\n")
    assert train(
        tmp_path / "table.csv", output=tmp_path / "m.keras", model="tiny", epochs=1, image_size=8
    ).card.labels == ("0", "1")


def test_a_lonely_picture_and_a_dominant_class_are_noted(stripes: Path, tmp_path: Path) -> None:
    (stripes / "alone").mkdir()
    shutil.move(next((stripes / "lying").iterdir()), stripes / "alone")
    for path in sorted((stripes / "lying").iterdir())[3:]:
        path.unlink()
    events: list[Event] = []
    result = train(stripes, output=tmp_path / "m.keras", model="tiny", epochs=1, image_size=8, progress=events.append)
    assert tuple(event.text for event in events if isinstance(event, Note)) == result.notes
    assert "alone" in result.notes[0]
    assert "standing" in result.notes[1]


def one_class(data: Path) -> None:
    shutil.rmtree(data / "lying")


def corrupt(data: Path) -> None:
    (data / "standing" / "21.png").write_bytes(b"\x89PNG\r\n\x1a\n, cut")


def empty(data: Path) -> None:
    shutil.rmtree(data)
    data.mkdir()


def too_few(data: Path) -> None:
    for name in ("lying", "standing"):
        for path in sorted((data / name).iterdir())[2:]:
            path.unlink()


def a_blank_name(data: Path) -> None:
    (data / "lying").rename(data / " ")


def a_name_of_two_lines(data: Path) -> None:
    (data / "lying").rename(data / "lying\ndown")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (a_blank_name, "' ' has a name that no bundle can hold"),
        (a_name_of_two_lines, r"'lying\\ndown' has a name that no bundle can hold"),
        (one_class, "1 class"),
        (corrupt, "21.png"),
        (empty, "no pictures"),
        (too_few, "too few"),
    ],
)
def test_bad_pictures_are_refused(spoil: Callable[[Path], None], says: str, stripes: Path, tmp_path: Path) -> None:
    spoil(stripes)
    with pytest.raises(DataError, match=says):
        train(stripes, output=tmp_path / "m.keras")
    assert not list(tmp_path.glob("*.keras"))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"output": "m.h5"}, UsageError, ".keras"),
        ({"output": "nowhere/m.keras"}, SinkError, "no folder"),
        ({"output": "stripes"}, UsageError, ".keras"),
        ({"model": "resnet"}, UsageError, "no model"),
        ({"epochs": 0}, UsageError, "epochs=0"),
        ({"batch_size": 0}, UsageError, "batch_size=0"),
        ({"image_size": 4}, UsageError, "image_size=4"),
        ({"seed": -1}, UsageError, "seed=-1"),
        ({"learning_rate": float("nan")}, UsageError, "learning_rate"),
        ({"validation": 0.0}, UsageError, "validation"),
        ({"test": 0.95}, UsageError, "test"),
        ({"fit": "squeeze"}, UsageError, "fit"),
        ({"channels": "bgr"}, UsageError, "bgr"),
        ({"model": "efficientnet_lite0", "channels": "grey"}, UsageError, "grey"),
    ],
)
def test_bad_options_are_refused_before_the_work(
    options: dict[str, Any], error: type[OrillaError], says: str, stripes: Path, tmp_path: Path
) -> None:
    output = tmp_path / options.pop("output", "m.keras")
    events: list[Event] = []
    with pytest.raises(error, match=says):
        train(stripes, output=output, progress=events.append, **options)
    assert events == []


def test_a_loss_that_diverges_is_told_and_an_old_model_stays(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "m.keras"
    target.write_bytes(b"the old model")
    with pytest.raises(OrillaError, match=r"no number.*epoch 1.*\n.*learning-rate"):
        train(stripes, output=target, model="raw", epochs=2, optimizer="sgd", learning_rate=10.0, image_size=8)
    assert target.read_bytes() == b"the old model"


def test_an_interruption_leaves_its_checkpoint_and_no_scratch(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnd):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(stripes, output=tmp_path / "m.keras", model="tiny", epochs=3, image_size=8, progress=interrupt)
    assert not list(scratch.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.training", "scratch", "stripes"]
    assert (tmp_path / "m.training" / "checkpoint.npz").is_file()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("orilla-decode")]


def test_transfer_trains_the_head_and_then_the_last_blocks(stripes: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    result = train(
        stripes,
        output=tmp_path / "m.keras",
        model="efficientnet_lite0",
        image_size=64,
        epochs=1,
        progress=events.append,
    )
    names = [event.name for event in events if isinstance(event, Phase)]
    assert names == ["read", "features", "head", "fine-tune", "test"]
    ends = {phase: [end for end in result.history if end.phase == phase] for phase in ("head", "fine-tune")}
    assert len(ends["fine-tune"]) == 1
    assert result.history == (*ends["head"], *ends["fine-tune"])
    # Fine-tuning may come out equal to the head, which is then kept.
    assert (result.best.val_accuracy, -result.best.val_loss) == max(
        (end.val_accuracy, -end.val_loss) for end in result.history
    )
    keras, _ = keras_and_tensorflow()
    model = keras.saving.load_model(result.path, compile=False)
    _check_frozen(model)


def _check_frozen(model: Any) -> None:
    """Batch normalization keeps its ImageNet averages, and so do all layers before the last blocks."""
    from orilla.models import zoo

    original = zoo.build("efficientnet_lite0", image_size=64, depth=3, classes=2)
    entry = zoo.entry_of("efficientnet_lite0")
    assert entry.load_weights is not None
    entry.load_weights(original, "imagenet")
    names = [layer.name for layer in model.layers]
    for place, (one, two) in enumerate(zip(model.layers, original.layers, strict=True)):
        if place < names.index(entry.frozen_before) or one.name.endswith("_bn"):
            assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True)), (
                one.name
            )


@pytest.mark.slow  # TensorFlow asks for memory for ten seconds before it gives up
def test_a_step_that_no_memory_can_hold_is_told(stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*, image_size: int, depth: int, classes: int, dropout: float) -> Any:
        """A tensor of more bytes than a process has addresses."""
        keras, tf = keras_and_tensorflow()

        def hungry(x: Any) -> Any:
            return x + tf.reduce_sum(tf.zeros(tf.cast(tf.shape(x)[:1], tf.int64) * 2**48, tf.float32))

        image = keras.Input((image_size, image_size, depth), name="image")
        x = keras.layers.Lambda(hungry, output_shape=(image_size, image_size, depth))(image)
        x = keras.layers.Dropout(dropout)(keras.layers.GlobalAveragePooling2D(name="features")(x))
        x = keras.layers.Dense(classes, name="logits")(x)
        return keras.Model(image, keras.layers.Softmax(name="probabilities")(x))

    monkeypatch.setitem(MODELS, "hungry", dataclasses.replace(tiny.ENTRIES["tiny"], build=build))
    with pytest.raises(OrillaError, match=r"not enough memory for a step on 8 pictures\.\n.*--batch-size"):
        train(stripes, output=tmp_path / "m.keras", model="hungry", epochs=1, image_size=8, record=False)


def test_the_best_epoch_before_a_divergence_is_kept(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1.0, "warm_up": 0.95, "epochs": 12, "seed": 1}
    result = train(stripes, output=tmp_path / "m.keras", model="raw", image_size=8, **options)
    assert result.best == result.history[-1]
    assert f"no number any more in epoch {result.best.epoch + 1}; the best epoch before" in result.notes[-1]
    assert all(np.isfinite(weight).all() for weight in weights(result.path))


def test_a_split_is_taken_from_the_folder_of_another_training(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = trained.result.path.with_suffix(".training") / "split.csv"
    options: dict[str, Any] = {"model": "tiny", "epochs": 1, "image_size": 8, "seed": 77}
    again = train(trained.data, output=tmp_path / "m.keras", split=split, record=False, **options)
    assert again.card.training["split"] == trained.result.card.training["split"]
    assert again.card.training["split_from"] == "split.csv"


def test_files_that_training_starts_from_are_recorded_by_name_and_content(
    stripes: Path, trained: Trained, tmp_path: Path
) -> None:
    weights_file = tmp_path / "Ana's machine" / "net.h5"
    weights_file.parent.mkdir()
    weights_file.write_bytes(b"weights")
    options: dict[str, Any] = {"image_size": 8, "head_epochs": 1, "epochs": 0, "weights": weights_file}
    record = train(stripes, output=tmp_path / "m.keras", model="tiny_transfer", **options).card.training
    assert record["weights"] == {"file": "net.h5", "sha256": hashlib.sha256(b"weights").hexdigest()}
    assert record["start"] is None
    written = json.loads((tmp_path / "m.training" / "recipe.json").read_text())
    assert written["weights"] == record["weights"]
    start = trained.result.path
    options = {"model": "tiny", "image_size": 8, "epochs": 1, "record": False, "start": start}
    went_on = train(stripes, output=tmp_path / "next.keras", **options).card.training
    assert went_on["weights"] == "random"
    assert went_on["start"] == {"file": "m.keras", "sha256": hashlib.sha256(start.read_bytes()).hexdigest()}
    assert all(str(tmp_path) not in json.dumps(each) for each in (record, went_on))


def test_weights_of_another_net_are_refused_before_a_picture_is_read(stripes: Path, tmp_path: Path) -> None:
    net = tiny.build_tiny(image_size=8, depth=3, classes=2)
    net.save(tmp_path / "other.keras")
    events: list[Event] = []
    options: dict[str, Any] = {"weights": tmp_path / "other.keras", "image_size": 64, "progress": events.append}
    with pytest.raises(DataError, match=r"other\.keras is of another net"):
        train(stripes, output=tmp_path / "m.keras", model="efficientnet_lite0", **options)
    assert events == []
    assert not (tmp_path / "m.training").exists()


def test_a_folder_among_the_classes_is_refused(stripes: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": "tiny", "epochs": 1, "image_size": 8}
    for output in (stripes / "m.keras", stripes / "lying" / "m.keras"):
        with pytest.raises(UsageError, match=r"m\.training would lie among the class folders.*\n.*--no-record"):
            train(stripes, output=output, **options)
    train(stripes, output=stripes / "m.keras", record=False, **options)
    assert read_labelled(stripes).classes == ("lying", "standing")


def test_two_trainings_do_not_write_into_one_folder(stripes: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"output": tmp_path / "m.keras", "model": "tiny", "epochs": 1, "image_size": 8}

    def another(event: Event) -> None:
        if isinstance(event, EpochEnd):
            with pytest.raises(SinkError, match=r"m\.training belongs to a training that is running.*\nWait"):
                train(stripes, **options)

    first = train(stripes, progress=another, **options)
    assert first.path.is_file()
    assert not (tmp_path / "m.training" / ".lock").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optimizer": "adam", "weight_decay": 0.1}, "weight_decay does nothing with the optimizer adam"),
        ({"schedule": "plateau", "patience": 1}, "before schedule=plateau can cut"),
        ({"split": "split.csv", "group": "(.)"}, "group does nothing"),
        ({"augmentation": "blur=1"}, "no augmentation 'blur'"),
        ({"momentum": 0.9}, "no option 'momentum'"),
    ],
)
def test_options_that_do_nothing_together_are_refused(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        train(tmp_path, output=tmp_path / "m.keras", **options)


def test_a_class_that_a_split_leaves_untaught_is_named(stripes: Path, tmp_path: Path) -> None:
    rows = ["path,split"]
    for name, parts in (("lying", ("validation", "test")), ("standing", ("train", "validation", "test"))):
        files = sorted((stripes / name).iterdir())
        rows += [f"{name}/{file.name},{parts[place % len(parts)]}" for place, file in enumerate(files)]
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match="no picture of lying is in the training part"):
        train(stripes, output=tmp_path / "m.keras", split=tmp_path / "split.csv")


def test_groups_stay_on_one_side(stripes: Path) -> None:
    images = read_labelled(stripes)
    split, _ = parts_of(images, Wishes(group=r"([0-9])[.]png$"))
    sides = {path[-5]: part for part in ("train", "validation", "test") for path in getattr(split, part)}
    assert all(path[-5] in sides and sides[path[-5]] == "train" for path in split.train)
    assert {*sides.values()} == {"train", "validation", "test"}


def test_a_picture_that_vanishes_in_mid_training_is_named_and_the_checkpoint_stays(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def vanish(event: Event) -> None:
        if isinstance(event, EpochEnd):
            (stripes / "standing" / "21.png").unlink(missing_ok=True)
            (stripes / "lying" / "20.png").unlink(missing_ok=True)

    options: dict[str, Any] = {"model": "tiny", "image_size": 8, "epochs": 9, "cache_bytes": 0, "test": 0.1}
    with pytest.raises(DataError, match=r"2[01]\.png.*\n.*bring it back.*--resume goes on"):
        train(stripes, output=tmp_path / "m.keras", progress=vanish, **options)
    assert not (tmp_path / "m.keras").exists()
    assert (tmp_path / "m.training" / "checkpoint.npz").is_file()
