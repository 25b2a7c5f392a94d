"""`train`: from a folder of labelled pictures to a Keras model with its card."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.feed import Feed, Shift
from orilla.data.pictures import CACHE_BYTES, Pictures
from orilla.data.split import TEST, VALIDATION, Places, split_images
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs
from orilla.models.saving import save_model
from orilla.models.zoo import ModelEntry, build
from orilla.training.loop import Fitted, Run, fit_best
from orilla.training.plan import Plan, Wishes, check_output, plan_for
from orilla.training.progress import Advance, Event, Note, Phase, Progress, silent
from orilla.training.result import TrainResult, training_record
from orilla.training.transfer import transfer
from orilla_converters.keras_card import KerasCard
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.errors import DataError
from orilla_runtime.labelled import LabelledImages, read_labelled, require_classes
from orilla_runtime.labelled.scores import top1
from orilla_runtime.preprocess import Channels, Fit

_BYTES_PER_WEIGHT, _SPARE_BYTES = 4, 256 * 1024
_DOMINANT = 0.6


def train(
    data: str | Path,
    *,
    output: str | Path,
    model: str = "small",
    image_size: int | None = None,
    channels: Channels | None = None,
    fit: Fit | None = None,
    seed: int = 0,
    validation: float = VALIDATION,
    test: float = TEST,
    weights: str | Path | None = None,
    cache_bytes: int = CACHE_BYTES,
    progress: Progress | None = None,
    **changes: Any,
) -> TrainResult:
    """Train a classifier on a folder with a subfolder a class, or on a CSV, and write it with its card.

    The pictures are split by class into train, validation and test; the best epoch by validation is kept and judged
    once on the test. The same pictures, options, seed, machine and versions give the same weights.

    Args:
        data: the folder, or a CSV with `path` and `label` or `class_id`.
        output: the model, `NAME.keras`; it is there whole or not at all.
        model: a name of `orilla.models.zoo.MODELS`: `small` is trained from scratch, `efficientnet_lite0` by transfer.
        image_size: side of the model's input, in pixels. From scratch, small pictures keep theirs unasked.
        channels: `rgb` or `grey`; unasked, a model from scratch takes grey where the pictures have no colour.
        fit: how a picture becomes square: `stretch`, `crop` (its centre) or `letterbox`. Unasked, transfer crops
            and training from scratch stretches.
        validation, test: shares of every class, 0 to 1.
        weights: what a model of transfer starts from: `imagenet` (unasked), a `.weights.h5`, `.h5` or `.keras` file of
            the same net, or `random`, which trains all of it from scratch.
        cache_bytes: how much disk the resized pictures may take while training runs.
        progress: is told of every phase and epoch.
        changes: fields of the model's `TrainingRecipe` that are to differ, such as `epochs`, `learning_rate`,
            `augmentation`; None leaves one as it is.

    Raises:
        UsageError: an option that is not possible. DataError: pictures that do not make a data set, or cannot be read.
        SinkError: the model cannot be written.
    """
    started = time.monotonic()
    notes = _Notes(progress or silent)
    given = {name: value for name, value in changes.items() if value is not None}
    wishes = Wishes(model, image_size, channels, fit, given, seed, validation, test, weights)
    entry = wishes.check()
    target = check_output(output)
    images = read_labelled(data)
    require_classes(images, 2)
    labels = _labels(images)
    split, places = split_images(images, seed, validation=validation, test=test)
    _check_parts(images, places, labels, notes)
    plan = plan_for(wishes, images.subset(places.train))
    digest = images.digest()

    with Pictures(images, plan.preprocess, cache_bytes=cache_bytes) as pictures:
        notes(Phase("read", f"{len(images)} pictures of {len(labels)} classes", len(images)))
        pictures.prepare(lambda done, _total: notes(Advance(done)))
        net = _built(entry, plan, len(labels), target)
        runs = _trained(net, entry, plan, pictures, places, notes)
        judged = _judged(net, pictures, places.test, plan.recipe.batch_size, notes)

    history = tuple(epoch for run in runs for epoch in run.history)
    best = runs[-1].best
    record = training_record(plan=plan, data_digest=digest, split=split, history=history, best=best, test=judged)
    card = KerasCard(labels, plan.preprocess, "probabilities", record)
    save_model(net, target, card)
    return TrainResult(target, card, history, best, judged, time.monotonic() - started, tuple(notes.texts))


class _Notes:
    """Passes events on and keeps the notes for the result."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.texts: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self.texts.append(event.text)
        self._progress(event)


def _labels(images: LabelledImages) -> tuple[str, ...]:
    assert images.class_ids is not None
    return images.classes or tuple(str(class_id) for class_id in range(int(images.class_ids.max()) + 1))


def _check_parts(images: LabelledImages, places: Places, labels: tuple[str, ...], notes: _Notes) -> None:
    """What the pictures can and cannot teach.

    Raises:
        DataError: nothing to choose or to judge the model by, or a name that cannot be written down.
    """
    assert images.class_ids is not None
    counts = np.bincount(images.class_ids, minlength=len(labels))
    if not (len(places.validation) and len(places.test)):
        raise DataError(
            f"{images.root}: {len(images)} pictures of {len(labels)} classes are too few to judge a model by.",
            "Give at least 3 pictures for a class; dozens for a good model.",
        )
    for path in images.paths:
        if not _is_text(path.as_posix()):
            raise DataError(f"{path!r}: the name of the file is no text.", "Rename it.")
    alone = [labels[class_id] for class_id in np.flatnonzero(counts == 1)]
    if alone:
        named = ", ".join(alone[:3]) + (", …" if len(alone) > 3 else "")
        notes(Note(f"Only one picture of {named}: it is trained on, and the class is never tested. Add pictures."))
    if counts.max() > _DOMINANT * len(images):
        share = counts.max() / len(images)
        notes(
            Note(f"{share:.0%} of the pictures are {labels[int(counts.argmax())]}: accuracy hides the other classes.")
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _built(entry: ModelEntry, plan: Plan, classes: int, target: Path) -> Any:
    keras, _ = keras_and_tensorflow()
    keras.utils.set_random_seed(plan.seed)
    net = build(plan.model, image_size=plan.image_size, depth=plan.preprocess.depth, classes=classes)
    check_output(target, needed_bytes=net.count_params() * _BYTES_PER_WEIGHT + _SPARE_BYTES)
    if entry.load_weights:
        entry.load_weights(net, plan.weights)
    return net


def _trained(
    net: Any, entry: ModelEntry, plan: Plan, pictures: Pictures, places: Places, progress: Progress
) -> tuple[Fitted, ...]:
    class_ids = pictures.images.class_ids
    assert class_ids is not None
    training = Feed(pictures, class_ids, places.train, plan.recipe.batch_size)
    validation = Feed(pictures, class_ids, places.validation, plan.recipe.batch_size)
    if plan.transfer:
        return transfer(net, entry, training, validation, pictures, plan, progress)
    keras, _ = keras_and_tensorflow()
    logits = keras.Model(net.input, net.get_layer("logits").output)
    run = Run("train", plan.recipe.epochs, plan.recipe.learning_rate, plan.recipe.patience)
    change = Shift(plan.seed, plan.recipe.augmentation.shift, len(pictures))
    return (fit_best(logits, training, validation, run, seed=plan.seed, progress=progress, change=change),)


def _judged(net: Any, pictures: Pictures, places: NDArray[np.int64], batch_size: int, progress: Progress) -> Accuracy:
    progress(Phase("test", f"{len(places)} held-out pictures", len(places)))
    scores = np.concatenate(list(outputs(net, pictures.batches(places, batch_size))))
    progress(Advance(len(places)))
    assert pictures.images.class_ids is not None
    return top1(scores.argmax(axis=1), pictures.images.class_ids[places])
