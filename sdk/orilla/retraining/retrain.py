"""`retrain`: join the pictures → train on from the model → judge both → convert → write, or refuse."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla.converting import convert
from orilla.data.apart import check_apart
from orilla.data.opening import open_data
from orilla.models.entry import IMAGENET, RANDOM
from orilla.models.recipe import FIELDS, Augmentation
from orilla.retraining.joining import Joined, join
from orilla.retraining.verdict import Compared, Judge, RetrainResult
from orilla.training import TrainResult, train
from orilla.training.neighbour import Neighbour
from orilla.training.plan import check_output
from orilla.training.progress import Note, Progress, silent
from orilla_converters.keras_card import KerasCard, read_card
from orilla_converters.recipe import parse_recipe
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import DataError, GateError, ModelError, SinkError, UsageError
from orilla_runtime.files import replaced

if TYPE_CHECKING:
    from orilla_converters.progress import Progress as ConvertProgress

MAX_DROP = 0.01


def retrain(
    model: str | Path,
    data: str | Path,
    *,
    base: str | Path,
    output: str | Path,
    bundle: str | Path | None = None,
    max_drop: float = MAX_DROP,
    resume: bool = False,
    progress: Progress | None = None,
    convert_progress: ConvertProgress | None = None,
    **changes: Any,
) -> RetrainResult:
    """Train a model on with new pictures, and write the next one if it is not worse than the one that is there.

    The training starts from the model's weights and follows its recorded recipe, on the old and the new pictures. Old
    ones keep their part, so the old test pictures stay unseen; new ones are split as the old ones were. Old and new
    model are judged on the old test pictures and on the new ones, picture by picture. Beside `NEXT.keras` lies
    `NEXT.data.csv`, the table of all pictures: the `base` of the retraining after this one.

    Args:
        model: a `.keras` file that `train` wrote.
        data: new labelled pictures; classes that the model does not know yet are added to it.
        base: the pictures that it was trained on.
        output: the next model, `NEXT.keras`.
        bundle: the bundle that is deployed. Its artifacts are made anew from the next model as `NEXT.orilla`, proved,
            and compared with the old ones.
        max_drop: how much lower the share of right pictures may be on either test set, 0 to 1.
        resume: go on with a retraining that was killed.
        progress, convert_progress: are told of the training and of the conversion.
        changes: fields of the recorded recipe that are to differ, as `train` takes them.

    Raises:
        GateError: the next model is worse; nothing was written. DataError: pictures that are not there, or do not go
            together. ModelError: not a model of `train`. UsageError: options that are not possible.
    """
    old, target = Path(model), check_output(output)
    if not 0 <= max_drop <= 1:
        raise UsageError(f"max_drop={max_drop} is not possible.", "Take 0 to 1.")
    card = _card(old)
    recipes = _recipes(bundle)
    said = progress or silent
    for pictures in (base, data):
        check_apart(Neighbour(target).path, pictures)
    joined = _joined(card, base, data)
    for text in joined.notes:
        said(Note(text))
    with _stage(target) as (stage, table):
        joined.write(table)
        told = {"group": joined.group or None, "resume": resume, "progress": said, **changes}
        trained = _trained(card, old, table, stage / target.name, told)
        with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
            judge = Judge(Path(folder), joined)
            compared = judge.compared(old, trained.path)
            _pass(compared, max_drop)
            made = None
            if bundle is not None:
                made = stage / target.with_suffix(".orilla").name
                convert(trained.path, data=table, output=made, recipes=recipes, progress=convert_progress)
                compared += judge.compared(Path(bundle), made)
                _pass(compared, max_drop)
        data_table = target.with_suffix(".data.csv")
        written = _moved(stage, target, table, data_table, made)
    notes = (*joined.notes, *trained.notes)
    return RetrainResult(target, data_table, written, trained, compared, joined.new_labels, notes)


@contextmanager
def _stage(target: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the folder, and the table beside it, in which the next model is made until it may be seen.

    Of a retraining that does not come to its end only what it can go on from is left, and nothing of a worse model.

    Raises:
        SinkError: a file stands in the way.
    """
    stage, table = target.with_suffix(".retraining"), target.with_suffix(".retraining.csv")
    home = Neighbour(target).path
    if home.exists() and not home.is_dir():
        raise SinkError(f"{home} is a file, and a folder of this name is to be made.", "Move it away.")
    try:
        stage.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(f"{stage}: {error.strerror or error}.", "Make room for a folder of this name.") from error
    try:
        yield stage, table
    except GateError:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    finally:
        table.unlink(missing_ok=True)
        if not Neighbour(stage / target.name).checkpoint.is_file():
            shutil.rmtree(stage, ignore_errors=True)


def _card(model: Path) -> KerasCard:
    card = read_card(model)
    if card is None or not isinstance(card.training.get("model"), str):
        raise ModelError(f"{model} does not say how it was trained.", "Give a model that `orilla train` wrote.")
    return card


def _recipes(bundle: str | Path | None) -> list[str]:
    """The recipes of the deployed artifacts, in their one-line spelling."""
    if bundle is None:
        return []
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
    if not isinstance(manifest, Manifest):
        raise UsageError(f"{bundle} is no classifier.", "Give the bundle that was made of the model.")
    return [str(parse_recipe(artifact.recipe)) for artifact in manifest.artifacts]


def _joined(card: KerasCard, base: str | Path, data: str | Path) -> Joined:
    old, new = open_data(base), open_data(data)
    if new.class_ids is None:
        raise DataError(f"{new.root}: the pictures have no labels.", "Put each class into a subfolder of its own.")
    if new.classes is None:
        new = new.aligned(card.labels)  # a table of numbers alone: they are the model's
    return join(old, new, card.labels, card.training)


def _trained(card: KerasCard, old: Path, table: Path, output: Path, told: dict[str, Any]) -> TrainResult:
    record, preprocess = card.training, card.preprocess
    given = {name: value for name, value in told.items() if value is not None}
    shares = record.get("shares")
    return train(
        table,
        output=output,
        model=str(record["model"]),
        image_size=preprocess.size[0],
        channels=preprocess.channels,
        fit=preprocess.fit,
        seed=int(record.get("seed", 0)),
        weights=None if record.get("weights", RANDOM) == RANDOM else IMAGENET,
        start=old,
        keep_checkpoint=True,  # until the bundle is made, which may be interrupted too
        **{**(shares if isinstance(shares, dict) else {}), **_recorded_recipe(record.get("recipe")), **given},
    )


def _recorded_recipe(recorded: Any) -> dict[str, Any]:
    """The fields of a recorded recipe that this Orilla knows."""
    recipe = {name: value for name, value in (recorded or {}).items() if name in FIELDS}
    augmentation = recipe.get("augmentation")
    if isinstance(augmentation, dict):
        names = {field.name for field in fields(Augmentation)}
        recipe["augmentation"] = Augmentation(**{name: value for name, value in augmentation.items() if name in names})
    return recipe


def _pass(compared: Sequence[Compared], max_drop: float) -> None:
    reasons = [reason for one in compared if (reason := one.why_worse(max_drop))]
    if reasons:
        raise GateError(
            f"The next model is worse and was not written. {'; '.join(reasons[:3])}.",
            "Check the new labels, train longer (--epochs), or allow more with --max-drop.",
        )


def _moved(stage: Path, target: Path, table: Path, data_table: Path, bundle: Path | None) -> Path | None:
    """Put everything into its place; the model last, so that it is there only when all is.

    Raises:
        SinkError: something cannot be put there.
    """
    record, home = Neighbour(stage / target.name).path, Neighbour(target).path
    _say_data(record / "recipe.json", data_table)
    Neighbour(stage / target.name).finished()
    written = None if bundle is None else target.with_suffix(".orilla")
    try:
        shutil.rmtree(home, ignore_errors=True)
        record.replace(home)
        if bundle is not None and written is not None:
            bundle.replace(written)
        table.replace(data_table)
        (stage / target.name).replace(target)
    except OSError as error:
        raise SinkError(f"{error.filename2 or error.filename}: {error.strerror}.", "Make room for it.") from error
    return written


def _say_data(recipe: Path, table: Path) -> None:
    """The record names the table by the name that it gets."""
    told = {**json.loads(recipe.read_text(encoding="utf-8")), "data": str(table)}
    with replaced(recipe) as part:
        part.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
