"""`train`: from a folder of labelled pictures to a Keras model with its card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orilla.data.apart import check_apart
from orilla.data.augment import Augment
from orilla.data.feed import Feed
from orilla.data.opening import open_data
from orilla.data.pictures import CACHE_BYTES, Pictures
from orilla.data.split import TEST, VALIDATION, Places
from orilla.keras_backend import keras_and_tensorflow
from orilla.models.inference import outputs
from orilla.models.saving import save_model
from orilla.models.starting import check_start, start_from
from orilla.models.zoo import ModelEntry, build
from orilla.training.augmented import write_augmented
from orilla.training.checkpoint import Checkpoint
from orilla.training.devices import Devices, computing_in
from orilla.training.identity import check_same, identity
from orilla.training.keeper import Keeper
from orilla.training.loop import fit_best
from orilla.training.neighbour import Neighbour
from orilla.training.optimization import Run
from orilla.training.parts import check_parts, class_weights, label_names, parts_of
from orilla.training.plan import Plan, Wishes, check_output, plan_for
from orilla.training.progress import Advance, Event, Note, Phase, Progress, silent
from orilla.training.result import TrainResult, origin_of, recipe_record, training_record, versions
from orilla.training.sharpness import calibrate
from orilla.training.standing import Fitted
from orilla.training.transfer import transfer
from orilla_converters.keras_card import KerasCard
from orilla_runtime.bundle.manifest import Accuracy
from orilla_runtime.errors import DataError, SinkError
from orilla_runtime.labelled import require_classes
from orilla_runtime.labelled.scores import top1
from orilla_runtime.preprocess import Channels, Fit

CHECKPOINT_SECONDS = 60.0
_GO_ON = "the same command with --resume goes on from the last checkpoint."
_BYTES_PER_WEIGHT, _SPARE_BYTES = 4, 256 * 1024


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
    split: str | Path | None = None,
    group: str | None = None,
    weights: str | Path | None = None,
    start: str | Path | None = None,
    resume: bool = False,
    record: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    keep_checkpoint: bool = False,
    cache_bytes: int = CACHE_BYTES,
    progress: Progress | None = None,
    **changes: Any,
) -> TrainResult:
    """Train a classifier on labelled pictures and write it with its card.

    The pictures are split by class into train, validation and test; the best epoch by validation is kept, its scores
    are calibrated on validation, and it is judged once on the test. The same pictures, options, seed, machine and
    versions give the same weights, also when the training was killed in between and resumed.

    Args:
        data: a folder with a subfolder a class; a CSV or JSONL with `path` and `label` or `class_id`; an `.npz` of
            `images` and `labels`; or the name of a set, such as `mnist`. A column `split` is kept as the split.
        output: the model, `NAME.keras`; it is there whole or not at all. Beside it `NAME.training/` holds the history,
            the recipe, a picture of what the model sees, logs for TensorBoard and, until the model is written, the
            checkpoint.
        model: a name that `orilla models` shows: `small` is trained from scratch, `efficientnet_lite0` by transfer.
        image_size: side of the model's input, in pixels. From scratch, small pictures keep theirs unasked.
        channels: `rgb` or `grey`; unasked, a model from scratch takes grey where the pictures have no colour.
        fit: how a picture becomes square: `stretch`, `crop` (its centre) or `letterbox`. Unasked, transfer crops
            and training from scratch stretches.
        validation, test: shares of every class, 0 to 1.
        split: a CSV with `path` and `split` (train, validation, test) in place of the shares, as an earlier training
            left it in its folder.
        group: a column, or a regular expression on the path, that says which pictures belong together: they come into
            the same part.
        weights: what a model of transfer starts from: `imagenet` (unasked), a `.weights.h5`, `.h5` or `.keras` file of
            the same net, or `random`, which trains all of it from scratch.
        start: a model that `train` wrote, of the same net, whose weights training goes on from; its classes must be the
            first of the pictures'.
        resume: go on with a training that was killed; where there is none it begins anew.
        record: make the folder `NAME.training`; without it nothing can be resumed.
        checkpoint_seconds: also within an epoch, the checkpoint is renewed when so much time has gone by.
        keep_checkpoint: leave it beside the model that is written: with `resume` the same call then only judges anew.
        cache_bytes: how much disk the resized pictures may take while training runs.
        progress: is told of every phase and epoch.
        changes: fields of the model's `TrainingRecipe` that are to differ, such as `epochs`, `learning_rate`,
            `augmentation` (also as text: `flip,shift=0.1`); None leaves one as it is.

    Raises:
        UsageError: an option that is not possible, options that do not go together, or a checkpoint of another training
        (the error names the difference).
        DataError: pictures that do not make a data set, or cannot be read, or a damaged checkpoint. SinkError: the
        model or its folder cannot be written. OrillaError: training diverged before one epoch was good.
    """
    started = time.monotonic()
    given = {name: value for name, value in changes.items() if value is not None}
    wishes = Wishes(model, image_size, channels, fit, given, seed, validation, test, weights, split, group, start)
    entry = wishes.check()
    target = check_output(output)
    neighbour = Neighbour(target)
    if record:
        check_apart(neighbour.path, data, otherwise=", or add --no-record")
    notes = _Notes(progress or silent, neighbour)
    images = open_data(data)
    require_classes(images, 2)
    labels = label_names(images)
    if start is not None:
        check_start(start, labels)
    parts, places = parts_of(images, wishes)
    for text in check_parts(images, places, labels):
        notes(Note(text))
    plan = plan_for(wishes, images.subset(places.train))
    digest = images.digest()
    devices = Devices()
    devices.check(plan, len(places.train), notes)
    origin = origin_of(plan)
    made_of = identity(
        plan, origin, data_digest=digest, split_digest=parts.digest(), versions=versions(), devices=len(devices)
    )
    checkpoint = _checkpoint(neighbour, made_of, resume, notes) if record else None
    keeper = Keeper(neighbour.checkpoint if record else None, made_of, checkpoint_seconds, checkpoint)
    with computing_in(plan.recipe.precision), devices.scope():
        net = _built(entry, plan, len(labels), target)

    with (
        _told_how_to_go_on(keeper, notes),
        closing(neighbour),
        Pictures(images, plan.preprocess, cache_bytes=cache_bytes) as pictures,
    ):
        notes(Phase("read", f"{len(images)} pictures of {len(labels)} classes", len(images)))
        pictures.prepare(lambda done, _total: notes(Advance(done)))
        change = Augment(plan.seed, plan.recipe.augmentation, len(images)) if plan.recipe.augmentation.changes else None
        if record:
            told = {**recipe_record(plan, origin, digest), "data": str(data), "preprocess": asdict(plan.preprocess)}
            neighbour.open(told, parts, checkpoint.history if checkpoint else ())
            write_augmented(neighbour.path / "augmented.png", pictures, places.train, change)
        with computing_in(plan.recipe.precision), devices.scope():
            runs, kept = _trained(net, entry, plan, pictures, places, change, len(devices), keeper, notes)
        net = _in_float32(net, plan, len(labels))
        temperature = calibrate(net, pictures, places.validation, plan.recipe.batch_size)
        judged = _judged(net, pictures, places.test, plan.recipe.batch_size, notes)
        history = tuple(epoch for run in runs for epoch in run.history)
        best = kept.best
        recorded = training_record(
            plan=plan,
            origin=origin,
            data_digest=digest,
            split=parts,
            history=history,
            best=best,
            test=judged,
            temperature=temperature,
        )
        card = KerasCard(labels, plan.preprocess, "probabilities", recorded)
        save_model(net, target, card)
        if record and not keep_checkpoint:
            neighbour.finished()
    return TrainResult(target, card, history, best, judged, time.monotonic() - started, tuple(notes.texts))


class _Notes:
    """Writes events down, passes them on and keeps the notes for the result."""

    def __init__(self, progress: Progress, neighbour: Neighbour) -> None:
        self._progress, self._neighbour = progress, neighbour
        self.texts: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self.texts.append(event.text)
        self._neighbour(event)
        self._progress(event)


@contextmanager
def _told_how_to_go_on(keeper: Keeper, notes: _Notes) -> Iterator[None]:
    """Where a checkpoint is kept, what ends the training early says how the rest of it is done."""
    try:
        yield
    except KeyboardInterrupt:
        if keeper.kept:
            notes(Note(f"Interrupted; {_GO_ON}"))
        raise
    except (DataError, SinkError) as error:
        if not keeper.kept:
            raise
        raise type(error)(error.message, f"{error.remedy} Then {_GO_ON}".strip()) from error


def _checkpoint(neighbour: Neighbour, made_of: dict[str, Any], resume: bool, notes: _Notes) -> Checkpoint | None:
    """The checkpoint to go on from."""
    if not resume:
        if neighbour.checkpoint.is_file():
            notes(
                Note(
                    f"{neighbour.checkpoint} is of a training that was not finished, and is written over after the "
                    "first epoch. To go on with it, stop now and add --resume."
                )
            )
        return None
    checkpoint = neighbour.unfinished()
    if checkpoint is None:
        notes(Note(f"{neighbour.path} has no unfinished training to resume: this one begins anew."))
        return None
    for text in check_same(checkpoint.identity, made_of):
        notes(Note(text))
    return checkpoint


def _built(entry: ModelEntry, plan: Plan, classes: int, target: Path) -> Any:
    keras, _ = keras_and_tensorflow()
    keras.utils.set_random_seed(plan.seed)
    net = _build(plan, classes)
    check_output(target, needed_bytes=net.count_params() * _BYTES_PER_WEIGHT + _SPARE_BYTES)
    if plan.start:
        start_from(net, plan.start)
    elif entry.load_weights:
        entry.load_weights(net, plan.weights)
    return net


def _build(plan: Plan, classes: int) -> Any:
    return build(
        plan.model,
        image_size=plan.image_size,
        depth=plan.preprocess.depth,
        classes=classes,
        dropout=plan.recipe.dropout,
    )


def _in_float32(net: Any, plan: Plan, classes: int) -> Any:
    """The net as it is written: nothing of mixed precision, of several devices or of training is in it."""
    if plan.recipe.precision == "float32":
        return net
    plain = _build(plan, classes)
    plain.set_weights(net.get_weights())
    return plain


def _trained(
    net: Any,
    entry: ModelEntry,
    plan: Plan,
    pictures: Pictures,
    places: Places,
    change: Augment | None,
    devices: int,
    keeper: Keeper,
    progress: Progress,
) -> tuple[tuple[Fitted, ...], Fitted]:
    """The phases in their order, and the one whose best epoch the net is left with."""
    class_ids, recipe = pictures.images.class_ids, plan.recipe
    assert class_ids is not None
    weights = class_weights(class_ids, places.train, recipe.class_weights)
    train = Feed(pictures, class_ids, places.train, recipe.batch_size, devices, weights)
    validation = Feed(pictures, class_ids, places.validation, recipe.batch_size)
    if plan.transfer:
        return transfer(net, entry, (train, validation), pictures, plan, change, keeper, progress)
    keras, _ = keras_and_tensorflow()
    logits = keras.Model(net.input, net.get_layer("logits").output)
    run = Run("train", recipe.epochs, recipe.learning_rate, recipe.patience, recipe)
    fitted = fit_best(logits, train, validation, run, seed=plan.seed, progress=progress, keeper=keeper, change=change)
    return (fitted,), fitted


def _judged(net: Any, pictures: Pictures, places: NDArray[np.int64], batch_size: int, progress: Progress) -> Accuracy:
    progress(Phase("test", f"{len(places)} held-out pictures", len(places)))
    scores = np.concatenate(list(outputs(net, pictures.batches(places, batch_size))))
    progress(Advance(len(places)))
    assert pictures.images.class_ids is not None
    return top1(scores.argmax(axis=1), pictures.images.class_ids[places])
