"""`retrain`: join the pictures → train on from the model → judge both → convert → write, or refuse."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orilla.converting import convert
from orilla.data.opening import open_data
from orilla.models.entry import IMAGENET, RANDOM
from orilla.models.recipe import FIELDS, Augmentation
from orilla.retraining.joining import Joined, join
from orilla.retraining.verdict import Compared, Judge, RetrainResult
from orilla.training import TrainResult, train
from orilla.training.plan import check_output
from orilla.training.progress import Note, Progress, silent
from orilla_converters.keras_card import KerasCard, read_card
from orilla_converters.recipe import parse_recipe
from orilla_runtime.bundle.manifest import Manifest
from orilla_runtime.bundle.reader import open_bundle
from orilla_runtime.errors import GateError, ModelError, UsageError
from orilla_runtime.labelled import require_classes

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
    joined = _joined(card, base, data)
    for text in joined.notes:
        said(Note(text))
    table = target.with_suffix(".data.csv")
    stage = target.with_suffix(".retraining")
    stage.mkdir(exist_ok=True)
    with _Removed(table) as kept:
        joined.write(table)
        trained = _trained(card, old, table, stage / target.name, resume, said, changes)
        with tempfile.TemporaryDirectory(prefix="orilla-") as folder:
            judge = Judge(Path(folder), joined)
            compared = judge.compared(old, trained.path)
            _pass(compared, max_drop, stage)
            made = None
            if bundle is not None:
                made = stage / target.with_suffix(".orilla").name
                convert(trained.path, data=table, output=made, recipes=recipes, progress=convert_progress)
                compared += judge.compared(Path(bundle), made)
                _pass(compared, max_drop, stage)
        written = _moved(stage, target, made)
        kept.keep()
    return RetrainResult(target, table, written, trained, compared, joined.new_labels, (*joined.notes, *trained.notes))


class _Removed:
    """Takes away the table of a retraining that came to nothing, unless it was there before."""

    def __init__(self, table: Path) -> None:
        self._table, self._kept = table, table.exists()

    def keep(self) -> None:
        self._kept = True

    def __enter__(self) -> _Removed:
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._kept:
            self._table.unlink(missing_ok=True)


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
    require_classes(new, 1)
    return join(old, new, card.labels, card.training)


def _trained(
    card: KerasCard, old: Path, table: Path, output: Path, resume: bool, progress: Progress, changes: dict[str, Any]
) -> TrainResult:
    record, preprocess = card.training, card.preprocess
    given = {name: value for name, value in changes.items() if value is not None}
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
        resume=resume,
        progress=progress,
        **{**_recorded_recipe(record.get("recipe")), **given},
    )


def _recorded_recipe(recorded: Any) -> dict[str, Any]:
    """The fields of a recorded recipe that this Orilla knows."""
    recipe = {name: value for name, value in (recorded or {}).items() if name in FIELDS}
    augmentation = recipe.get("augmentation")
    if isinstance(augmentation, dict):
        names = {field.name for field in fields(Augmentation)}
        recipe["augmentation"] = Augmentation(**{name: value for name, value in augmentation.items() if name in names})
    return recipe


def _pass(compared: Sequence[Compared], max_drop: float, stage: Path) -> None:
    reasons = [reason for one in compared if (reason := one.why_worse(max_drop))]
    if reasons:
        shutil.rmtree(stage, ignore_errors=True)
        raise GateError(
            f"The next model is worse and was not written. {'; '.join(reasons[:3])}.",
            "Check the new labels, train longer (--epochs), or allow more with --max-drop.",
        )


def _moved(stage: Path, target: Path, bundle: Path | None) -> Path | None:
    """Put everything into its place; the model last, so that it is there only when all is."""
    record = stage / f"{target.stem}.training"
    if record.is_dir():
        shutil.rmtree(target.parent / record.name, ignore_errors=True)
        record.replace(target.parent / record.name)
    written = None
    if bundle is not None:
        written = target.with_suffix(".orilla")
        bundle.replace(written)
    (stage / target.name).replace(target)
    shutil.rmtree(stage, ignore_errors=True)
    return written
